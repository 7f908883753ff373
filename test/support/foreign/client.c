/* What the C client makes of a server: one line for each thing it tried. Called with two URLs, of a user and of the same
 * with a wrong password; JetStream is behind the first. */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000

static void must(natsStatus status, const char *what) {
  if (status == NATS_OK) return;
  printf("failed: %s: %s\n", what, natsStatus_GetText(status));
  exit(1);
}

static void answer(natsConnection *nc, natsSubscription *sub, natsMsg *question, void *closure) {
  natsMsg *reply = NULL;
  const char *trace = NULL;
  char text[64];
  int length = snprintf(text, sizeof text, "done %.*s", natsMsg_GetDataLength(question), natsMsg_GetData(question));
  must(natsMsg_Create(&reply, natsMsg_GetReply(question), NULL, text, length), "make an answer");
  if (natsMsgHeader_Get(question, "Trace", &trace) == NATS_OK) must(natsMsgHeader_Set(reply, "Trace", trace), "set a header");
  must(natsConnection_PublishMsg(nc, reply), "answer");
  natsMsg_Destroy(reply);
  natsMsg_Destroy(question);
}

static void print_texts(const char *what, natsSubscription *sub, int count) {
  printf("%s:", what);
  for (int i = 0; i < count; i++) {
    natsMsg *found = NULL;
    must(natsSubscription_NextMsg(&found, sub, WAIT_MS), what);
    printf(" %.*s", natsMsg_GetDataLength(found), natsMsg_GetData(found));
    natsMsg_Destroy(found);
  }
  printf("\n");
}

int main(int count, char **arguments) {
  natsConnection *nc = NULL, *wrong = NULL;
  natsSubscription *wild = NULL, *three = NULL, *work = NULL;
  natsMsg *question = NULL, *found = NULL;
  const char *trace = NULL;
  char text[16];

  must(natsConnection_ConnectTo(&nc, arguments[1]), "connect");
  must(natsConnection_SubscribeSync(&wild, nc, "c.*.c"), "subscribe");
  must(natsConnection_SubscribeSync(&three, nc, "c.b.c"), "subscribe");
  must(natsSubscription_AutoUnsubscribe(three, 3), "limit a subscription");
  for (int i = 0; i < 5; i++) {
    snprintf(text, sizeof text, "%d", i);
    must(natsConnection_PublishString(nc, "c.b.c", text), "publish");
  }
  print_texts("wildcard", wild, 5);
  print_texts("limited", three, 3);

  must(natsConnection_QueueSubscribe(&work, nc, "c-work", "workers", answer, NULL), "subscribe as a group");
  must(natsMsg_Create(&question, "c-work", NULL, "it", 2), "make a question");
  must(natsMsgHeader_Set(question, "Trace", "7"), "set a header");
  must(natsConnection_RequestMsg(&found, nc, question, WAIT_MS), "request");
  must(natsMsgHeader_Get(found, "Trace", &trace), "get a header");
  printf("request: %.*s %s\n", natsMsg_GetDataLength(found), natsMsg_GetData(found), trace);
  natsMsg_Destroy(found);
  natsMsg_Destroy(question);
  found = NULL;
  printf("nobody: %d\n", natsConnection_RequestString(&found, nc, "c-nobody", "", WAIT_MS) == NATS_NO_RESPONDERS);

  jsCtx *js = NULL;
  jsStreamConfig stream;
  jsPubAck *ack = NULL;
  natsSubscription *pull = NULL;
  natsMsgList list = {0};
  const char *subjects[] = {"cjs.>"};
  must(natsConnection_JetStream(&js, nc, NULL), "JetStream");
  must(jsStreamConfig_Init(&stream), "a stream's configuration");
  stream.Name = "C";
  stream.Subjects = subjects;
  stream.SubjectsLen = 1;
  stream.Storage = js_MemoryStorage;
  must(js_AddStream(NULL, js, &stream, NULL, NULL), "add a stream");
  for (int i = 1; i <= 5; i++) {
    must(js_Publish(&ack, js, "cjs.a", "x", 1, NULL, NULL), "publish to a stream");
    printf("stored: %d\n", (int)ack->Sequence);
    jsPubAck_Destroy(ack);
    ack = NULL;
  }
  must(js_PullSubscribe(&pull, js, "cjs.>", "tool", NULL, NULL, NULL), "subscribe to pull");
  must(natsSubscription_Fetch(&list, pull, 5, WAIT_MS, NULL), "fetch");
  for (int i = 0; i < list.Count; i++) must(natsMsg_AckSync(list.Msgs[i], NULL, NULL), "acknowledge");
  printf("pulled: %d\n", list.Count);
  natsMsgList_Destroy(&list);

  printf("wrong password: %d\n", natsConnection_ConnectTo(&wrong, arguments[2]) == NATS_CONNECTION_AUTH_FAILED);
  natsSubscription_Destroy(pull);
  jsCtx_Destroy(js);
  natsSubscription_Destroy(work);
  natsSubscription_Destroy(three);
  natsSubscription_Destroy(wild);
  natsConnection_Destroy(nc);
  nats_Close();
  return 0;
}
