// The icons: lines on a grid of 24, drawn for this page, in the colour of the words beside them. They say nothing that words do not.

const PATHS = {
  // states: told apart by their shapes
  good: "M20 6 9 17l-5-5",
  look: "M12 4 2.5 20h19zM12 10v5M12 17.6v.1",
  bad: "M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 9l6 6M15 9l-6 6",
  idle: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 12h8",
  // places
  dashboard: "M4 13h6V4H4zM14 20h6V11h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
  devices: "M9 3h6v5H9zM12 8v4M5 21v-4h14v4M5 17v-2a3 3 0 0 1 3-3h8a3 3 0 0 1 3 3v2",
  messages: "M4 5h16v11H9l-5 4zM8 9h8M8 12h5",
  settings: "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h11M19 17h1M17 15v4",
  doctor: "M5 3v6a4 4 0 0 0 8 0V3M3.5 3H7M11 3h3.5M9 13v2a5 5 0 0 0 10 0v-3M19 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  system: "M5 4h14v6H5zM5 14h14v6H5zM8 7h.1M8 17h.1M12 7h4M12 17h4",
  more: "M5 12h.1M12 12h.1M19 12h.1",
  // deeds
  add: "M12 5v14M5 12h14",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  remove: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  upload: "M12 16V5M7 9l5-5 5 5M5 20h14",
  print: "M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z",
  refresh: "M20 11a8 8 0 0 0-14.5-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14.5 4L20 15M20 20v-5h-5",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5",
  filter: "M4 5h16l-6 8v6l-4-2v-4z",
  send: "M4 12 20 4l-5 16-3.5-6.5z",
  play: "M7 4v16l12-8z",
  pause: "M8 5v14M16 5v14",
  next: "M9 5l7 7-7 7",
  back: "M15 5l-7 7 7 7",
  up: "M5 15l7-7 7 7",
  down: "M5 9l7 7 7-7",
  show: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  hide: "M4 4l16 16M9.5 5.4A9 9 0 0 1 12 5c6 0 10 7 10 7a16 16 0 0 1-3 3.8M6 7.5A16 16 0 0 0 2 12s4 7 10 7a9 9 0 0 0 4-.9M9.8 10a3 3 0 0 0 4.2 4.2",
  // things
  leaf: "M12 21v-9M12 15C7 15 4 12 4 6c5 0 8 3 8 8M12 13c0-5 3-8 8-9 0 6-3 9-8 9",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4.2 4.2 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4.2 4.2 0 0 0 6 6l1-1",
  hub: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 9V4M12 20v-5M9.5 13.5 5 16M14.5 13.5 19 16",
  outbox: "M4 13v6h16v-6M4 13l3-8h10l3 8M4 13h5l1 2h4l1-2h5",
  key: "M15 4a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11.5 12.5 4 20M6 18l2 2",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c0-4 4-6 8-6s8 2 8 6",
  users:
    "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM2.5 20c0-3.5 3-5 6.5-5s6.5 1.5 6.5 5M16 5.5a3.5 3.5 0 0 1 0 6.5M18 15c2 .6 3.5 2 3.5 5",
  signOut: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  language: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c-5 5.5-5 12.5 0 18M12 3c5 5.5 5 12.5 0 18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2",
  moon: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z",
  serial: "M3 8h18l-3 8H6zM8 11h.1M12 11h.1M16 11h.1M10 13.5h.1M14 13.5h.1",
  mqtt: "M4 20h.1M4 14a6 6 0 0 1 6 6M4 9a11 11 0 0 1 11 11M4 4a16 16 0 0 1 16 16",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  flash: "M7 3h7l4 4v14H7zM10 3v4M13 3v4M10 13h4M10 17h4",
  power: "M12 3v9M7 6a8 8 0 1 0 10 0",
  shield: "M12 3 5 6v6c0 4.5 3 7.5 7 9 4-1.5 7-4.5 7-9V6z",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 1-1 1.7M12 16.5v.1",
} as const;

export type IconName = keyof typeof PATHS;

interface IconProps {
  readonly name: IconName;
}

export function Icon({ name }: IconProps) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
