// The program begins once the first picture, which stands in the page itself, has been drawn.
export function begin(): void {
  void import("./main.ts");
}

if (document.hidden) begin(); // a page that nobody sees draws nothing
else requestAnimationFrame(() => setTimeout(begin));
