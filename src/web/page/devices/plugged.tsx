// "Which one is it?": every serial device that is there now, live, and the one that was just unplugged and plugged in again.
//
//   ports {…} ─▶ the list        removed {path} ─▶ "plug it in again"        added {device} ─▶ "it is this one"

import { useEffect, useState } from "preact/hooks";
import { visible } from "../messages/visible.ts";
import { type ApiError, api, type StreamState } from "../shell/api.ts";
import { Link } from "../shell/route.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Empty } from "../ui/empty.tsx";
import { Icon } from "../ui/icon.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useText } from "../words/catalogue.ts";
import { DeviceLine } from "./device-line.tsx";
import { GuessDevice } from "./guess-device.tsx";
import type { Listing, PluggedDevice } from "./plugged-device.ts";
import { pluggedWords } from "./plugged-words.ts";
import { serialWords } from "./serial-words.ts";

type Search =
  | { readonly at: "idle" }
  | { readonly at: "watching" }
  | { readonly at: "removed"; readonly path: string }
  | { readonly at: "found"; readonly device: PluggedDevice };

export function Plugged() {
  const text = useText(pluggedWords);
  const serial = useText(serialWords);
  const [listing, setListing] = useState<Listing>();
  const [search, setSearch] = useState<Search>({ at: "idle" });
  const [state, setState] = useState<StreamState>("opening");
  const [error, setError] = useState<ApiError>();
  const [guessed, setGuessed] = useState<PluggedDevice>();
  useEffect(() => {
    const stream = api.stream(
      "/api/ports/events",
      (event, data) => {
        if (event === "ports") setListing(data as Listing);
        if (event === "removed") {
          const { path } = data as { path: string };
          setListing((before) => before && { ...before, devices: before.devices.filter((device) => device.path !== path) });
          setSearch((before) => (before.at === "idle" ? before : { at: "removed", path }));
        }
        if (event === "added") {
          const { device } = data as { device: PluggedDevice };
          setListing(
            (before) =>
              before && {
                ...before,
                devices: [...before.devices.filter(({ path }) => path !== device.path), device].sort(byPath),
              },
          );
          setSearch((before) => (before.at === "idle" ? before : { at: "found", device }));
        }
      },
      {
        onState: (next, refusal) => {
          setState(next);
          setError(refusal);
        },
      },
    );
    return () => stream.close();
  }, []);
  if (guessed !== undefined) return <GuessDevice device={guessed} onClose={() => setGuessed(undefined)} />;
  return (
    <div class="dev-pane">
      <p>
        <Link to="devices/serial" class="button button-quiet">
          <Icon name="back" />
          <span>{serial("back")}</span>
        </Link>
      </p>
      <Card title={text("which")} lead={text("which_lead")}>
        <div class="dev-which">
          <div role="status">
            {search.at === "watching" && <Spinner label={text("watching")} />}
            {search.at === "removed" && <Notice tone="look">{text("removed", { path: visible(search.path) })}</Notice>}
            {search.at === "found" && (
              <div class="dev-found">
                <h3>{text("found")}</h3>
                <ul class="dev-all">
                  <DeviceLine device={search.device} onGuess={setGuessed} />
                </ul>
              </div>
            )}
          </div>
          <div class="actions">
            {search.at === "idle" || search.at === "found" ? (
              <Button kind="primary" icon="search" disabled={listing === undefined} onClick={() => setSearch({ at: "watching" })}>
                {text("start")}
              </Button>
            ) : (
              <Button onClick={() => setSearch({ at: "idle" })}>{text("stop")}</Button>
            )}
          </div>
        </div>
      </Card>
      {state === "lost" && <Notice tone="look">{text("lost")}</Notice>}
      {state === "refused" && (
        <Notice tone="bad" isAlert>
          <span lang="en">{error?.message}</span>
        </Notice>
      )}
      {listing !== undefined && (
        <Card title={text("all")}>
          {listing.fault !== null && (
            <Notice tone="bad" title={text("list_fault")}>
              <bdi lang="en">{visible(listing.fault, 1_000)}</bdi>
            </Notice>
          )}
          {listing.devices.length === 0 ? (
            <Empty icon="serial" title={text("nothing")} hint={text("nothing_hint")} />
          ) : (
            <ul class="dev-all">
              {listing.devices.map((device) => (
                <DeviceLine key={device.path} device={device} onGuess={setGuessed} />
              ))}
            </ul>
          )}
          {listing.missing.map(({ port, cause }) => (
            <Notice key={port} tone="look" title={text("missing", { port: visible(port) })}>
              <bdi lang="en">{visible(cause, 1_000)}</bdi>
            </Notice>
          ))}
        </Card>
      )}
    </div>
  );
}

function byPath(one: PluggedDevice, other: PluggedDevice): number {
  return one.path < other.path ? -1 : 1;
}
