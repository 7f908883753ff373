// What nats.go makes of a server: one line for each thing it tried. Called with two URLs, of a user and of the same with a wrong password; JetStream is behind the first.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const wait = 10 * time.Second

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func main() {
	faults := make(chan string, 16)
	onFault := nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { faults <- err.Error() })
	nc, err := nats.Connect(os.Args[1], onFault, nats.Name("nats.go"))
	must(err)
	core(nc)
	jetStream(nc)
	must(nc.Publish("forbidden.a", []byte("x")))
	must(nc.Flush())
	select {
	case fault := <-faults:
		fmt.Println("forbidden:", strings.ToLower(fault))
	case <-time.After(wait):
		fmt.Println("forbidden: nothing was said")
	}
	_, err = nats.Connect(os.Args[2])
	fmt.Println("wrong password:", errors.Is(err, nats.ErrAuthorization))
	closed := make(chan bool, 1)
	nc.SetClosedHandler(func(*nats.Conn) { closed <- true })
	must(nc.Drain())
	fmt.Println("drained:", <-closed)
}

func core(nc *nats.Conn) {
	wild, err := nc.SubscribeSync("go.*.c")
	must(err)
	all, err := nc.SubscribeSync("go.>")
	must(err)
	three, err := nc.SubscribeSync("go.b.c")
	must(err)
	must(three.AutoUnsubscribe(3))
	for i := 0; i < 5; i++ {
		must(nc.Publish("go.b.c", []byte(fmt.Sprint(i))))
	}
	must(nc.Publish("go.x", []byte("last")))
	fmt.Println("wildcards:", texts(wild, 5), texts(all, 6), texts(three, 3))
	_, err = three.NextMsg(50 * time.Millisecond)
	fmt.Println("after the third:", errors.Is(err, nats.ErrMaxMessages))

	_, err = nc.QueueSubscribe("go-work", "workers", func(m *nats.Msg) {
		answer := nats.NewMsg(m.Reply)
		answer.Header.Set("Trace", m.Header.Get("Trace")+"!")
		answer.Data = append([]byte("done "), m.Data...)
		must(m.RespondMsg(answer))
	})
	must(err)
	question := nats.NewMsg("go-work")
	question.Header.Set("Trace", "7")
	question.Data = []byte("it")
	answer, err := nc.RequestMsg(question, wait)
	must(err)
	fmt.Println("request:", string(answer.Data), answer.Header.Get("Trace"))
	_, err = nc.Request("go-nobody", nil, wait)
	fmt.Println("nobody:", errors.Is(err, nats.ErrNoResponders))
}

func jetStream(nc *nats.Conn) {
	js, err := nc.JetStream(nats.MaxWait(wait))
	must(err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "GO", Subjects: []string{"gojs.>"}, Storage: nats.MemoryStorage})
	must(err)
	for i := 1; i <= 10; i++ {
		ack, err := js.Publish("gojs.a", []byte(fmt.Sprint(i)))
		must(err)
		if ack.Sequence != uint64(i) {
			must(fmt.Errorf("message %d is number %d", i, ack.Sequence))
		}
	}
	pull, err := js.PullSubscribe("gojs.>", "tool")
	must(err)
	found := []string{}
	for len(found) < 10 {
		batch, err := pull.Fetch(4, nats.MaxWait(wait))
		must(err)
		for _, m := range batch {
			found = append(found, string(m.Data))
			must(m.AckSync())
		}
	}
	fmt.Println("pulled:", strings.Join(found, ","))
	push, err := js.SubscribeSync("gojs.>", nats.OrderedConsumer())
	must(err)
	fmt.Println("pushed:", texts(push, 10))
	must(push.Unsubscribe())

	kv, err := js.CreateKeyValue(&nats.KeyValueConfig{Bucket: "go", Storage: nats.MemoryStorage})
	must(err)
	_, err = kv.PutString("interval", "30s")
	must(err)
	entry, err := kv.Get("interval")
	must(err)
	_, err = kv.Update("interval", []byte("60s"), entry.Revision())
	must(err)
	_, err = kv.Update("interval", []byte("90s"), entry.Revision())
	entry, _ = kv.Get("interval")
	keys, _ := kv.Keys()
	sort.Strings(keys)
	fmt.Println("kv:", string(entry.Value()), err != nil, keys)

	store, err := js.CreateObjectStore(&nats.ObjectStoreConfig{Bucket: "files", Storage: nats.MemoryStorage})
	must(err)
	image := make([]byte, 300_000)
	for i := range image {
		image[i] = byte(i % 251)
	}
	_, err = store.PutBytes("image", image)
	must(err)
	back, err := store.GetBytes("image")
	must(err)
	fmt.Println("object:", len(back), string(back) == string(image))
}

func texts(sub *nats.Subscription, count int) string {
	found := []string{}
	for len(found) < count {
		m, err := sub.NextMsg(wait)
		must(err)
		found = append(found, string(m.Data))
	}
	return strings.Join(found, ",")
}
