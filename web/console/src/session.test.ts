import { beforeEach, describe, expect, test, vi } from "vitest";

const person = (user_id: string) => ({ user: { user_id, name: user_id, role: "secretary", community_id: "c", area_code: null, topics: [] }, csrf_token: "t", expires_at: "" });
const page = { pathname: "/", hash: "#/records/person/one", reload: vi.fn() };
let signedIn: ReturnType<typeof person> | null;

/** The page as it is opened: nothing in its memory. */
async function open() {
  vi.resetModules();
  return import("./session.ts");
}

beforeEach(() => {
  page.reload.mockClear();
  page.hash = "#/records/person/one";
  signedIn = null;
  vi.stubGlobal("location", page);
  vi.stubGlobal("sessionStorage", { getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
  vi.stubGlobal("history", { replaceState: (_: unknown, __: string, to: string) => (page.hash = to.slice(to.indexOf("#"))) });
  vi.stubGlobal("fetch", async (_: string, asked: { method: string; body?: string }) => {
    if (asked.method === "DELETE") return new Response(null, { status: 204 });
    if (asked.method === "POST") signedIn = person((JSON.parse(asked.body!) as { login: string }).login);
    return signedIn ? Response.json(signedIn) : new Response(null, { status: 204 });
  });
});
/** A page that begins anew does nothing after it: what led there has ended by then. */
const begunAnew = () => vi.waitFor(() => expect(page.reload).toHaveBeenCalled(), { interval: 1 });

describe("at one screen, one after the other", () => {
  test("signing out begins anew: nothing stays in the memory of the page", async () => {
    const session = await open();
    await session.signIn("anna", "x");
    expect(page.reload).not.toHaveBeenCalled();
    void session.signOut();
    await begunAnew();
    expect([page.reload.mock.calls.length, page.hash]).toEqual([1, "#/sign-in"]);
  });

  test("another person after an ended session begins anew, at the start page", async () => {
    const session = await open();
    await session.signIn("anna", "x");
    void session.signIn("berta", "x");
    await begunAnew();
    expect([page.reload.mock.calls.length, page.hash, session.user.value?.user_id]).toEqual([1, "#/", "anna"]);
  });

  test("a session that ends under somebody's hands keeps their page until they are signed in again", async () => {
    const session = await open();
    await session.signIn("anna", "x");
    const { get } = await import("./api/client.ts");
    vi.stubGlobal("fetch", async (_: string, asked: { method: string }) => (asked.method === "POST" ? Response.json(person("anna")) : Response.json({ type: "/problems/not-signed-in" }, { status: 401 })));
    await expect(get("/api/v1/inbox")).rejects.toThrow();
    expect([session.ended.value, session.user.value?.user_id]).toEqual([true, "anna"]);
    await session.signIn("anna", "x");
    expect([session.ended.value, page.reload.mock.calls.length, page.hash]).toEqual([false, 0, "#/records/person/one"]);
  });

  test("who signed in anew in another tab goes on writing in this one; for another person this one begins anew", async () => {
    const session = await open();
    await session.signIn("anna", "x");
    const { post } = await import("./api/client.ts");
    const tokens: string[] = [];
    const other = { ...person("anna"), csrf_token: "new" };
    vi.stubGlobal("fetch", async (_: string, asked: { method: string; headers: Record<string, string>; body?: string }) => {
      if (asked.method === "GET") return Response.json(other);
      tokens.push(`${asked.headers["X-CSRF-Token"]} ${asked.body}`);
      return asked.headers["X-CSRF-Token"] === "new" ? Response.json({ done: true }) : Response.json({ type: "/problems/csrf-refused" }, { status: 403 });
    });
    expect(await post("/api/v1/groups", { a: 1 })).toEqual({ done: true });
    expect([tokens, session.ended.value]).toEqual([['t {"a":1}', 'new {"a":1}'], false]);

    Object.assign(other, person("berta"), { csrf_token: "hers" });
    vi.stubGlobal("fetch", async (_: string, asked: { method: string }) => (asked.method === "GET" ? Response.json(other) : Response.json({ type: "/problems/csrf-refused" }, { status: 403 })));
    void post("/api/v1/groups");
    await begunAnew();
    expect([page.reload.mock.calls.length, page.hash, session.user.value?.user_id]).toEqual([1, "#/", "anna"]);
  });

  test("a token that stays refused is told, once", async () => {
    const session = await open();
    await session.signIn("anna", "x");
    const { post } = await import("./api/client.ts");
    let asked = 0;
    vi.stubGlobal("fetch", async (_: string, one: { method: string }) => (one.method === "GET" ? Response.json(person("anna")) : (asked++, Response.json({ type: "/problems/csrf-refused" }, { status: 403 }))));
    await expect(post("/api/v1/groups")).rejects.toMatchObject({ slug: "csrf-refused" });
    expect(asked).toBe(2);
  });

  test("the same person goes on where they were", async () => {
    const session = await open();
    await session.signIn("anna", "x");
    await session.signIn("anna", "x");
    expect([page.reload.mock.calls.length, page.hash]).toEqual([0, "#/records/person/one"]);
  });
});
