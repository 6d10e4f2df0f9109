// The program begins once the first picture, which stands in the page itself, has been drawn. It begins in parts, so that a slow phone
// answers a finger in between.
const between = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

async function begin(): Promise<void> {
  await import("./engine.ts");
  await between();
  await import("./i18n.ts");
  await between();
  await import("./router.ts");
  await between();
  await import("./main.ts");
}

if (document.hidden) void begin(); // a page that nobody sees draws nothing
else requestAnimationFrame(() => setTimeout(() => void begin()));
