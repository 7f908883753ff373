// What is served while the bundle holds no page: it says so, and what to do meanwhile. No script.

const INDEX = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Petiole</title>
<link rel="stylesheet" href="/placeholder.css">
</head>
<body>
<main>
<h1>Petiole</h1>
<p>This device is up. Its page is not part of this build yet.</p>
<h2>Meanwhile</h2>
<ul>
<li><code>petiole status</code> on the device tells how links, outbox and ports are doing, and shows the claim code.</li>
<li><code>petiole check</code> tells what is wrong with the settings.</li>
<li>The page's interface answers under <code>/api/</code>.</li>
</ul>
</main>
</body>
</html>
`;

const STYLE = `:root { color-scheme: light dark; }
body { margin: 0; font: 1.125rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 34rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { margin: 0 0 1rem; font-size: 2rem; }
h2 { margin: 2rem 0 0.5rem; font-size: 1.25rem; }
ul { margin: 0; padding-left: 1.25rem; }
li { margin: 0.5rem 0; }
code { font-size: 0.95em; overflow-wrap: anywhere; }
`;

export const PLACEHOLDER_FILES: ReadonlyMap<string, Buffer> = new Map([
  ["/index.html", Buffer.from(INDEX)],
  ["/placeholder.css", Buffer.from(STYLE)],
]);
