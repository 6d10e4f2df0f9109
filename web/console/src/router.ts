// Addresses of the console. The part after # never reaches the server; personal values never stand in it either.
import { ElMessage } from "element-plus";
import { createRouter, createWebHashHistory } from "vue-router";
import { askAhead, forgetAhead } from "./first.ts";
import SignIn from "./pages/SignIn.vue";
import { may, restore, startOf, user } from "./session.ts";
import { t } from "./words/index.ts";

declare module "vue-router" {
  interface RouteMeta {
    right?: Parameters<typeof may>[0];
    title?: string;
    open?: boolean;
    /** Says something also where no community was chosen. */
    house?: boolean;
  }
}

const startPage = () => import("./pages/overview/OverviewPage.vue");
if (["", "#/"].includes(location.hash)) {
  askAhead();
  void restore();
  startPage().catch(() => undefined);
}

export const router = createRouter({
  history: createWebHashHistory("/"),
  scrollBehavior: () => ({ top: 0 }),
  routes: [
    { path: "/", name: "overview", component: startPage, meta: { title: "common.overview", right: "baseline" } },
    { path: "/sign-in", name: "sign-in", component: SignIn, meta: { open: true, title: "common.signIn" } },
    { path: "/cell/:code", name: "cell", component: () => import("./pages/overview/CellPage.vue"), meta: { title: "common.cell", right: "records" } },
    { path: "/rosters/:name?", name: "roster", component: () => import("./pages/rosters/RosterPage.vue"), meta: { title: "common.rosters", right: "records" } },
    { path: "/records/:type/:id", name: "record", component: () => import("./pages/records/RecordPage.vue"), meta: { title: "records.title", right: "records" } },
    { path: "/inbox/:kind?", name: "inbox", component: () => import("./pages/inbox/InboxPage.vue"), meta: { title: "common.inbox", right: "inbox" } },
    { path: "/cells/:edition?", name: "cells", component: () => import("./pages/cells/CellsPage.vue"), meta: { title: "common.cells", right: "cells" } },
    { path: "/files", name: "files", component: () => import("./pages/files/FilesPage.vue"), meta: { title: "common.files", right: "exports" } },
    { path: "/files/templates", name: "templates", component: () => import("./pages/files/TemplatesPage.vue"), meta: { title: "templates.title", right: "exports" } },
    { path: "/files/handovers", name: "handovers", component: () => import("./pages/files/HandoversPage.vue"), meta: { title: "handovers.title", right: "personalExports" } },
    { path: "/files/imports", name: "imports", component: () => import("./pages/files/ImportsPage.vue"), meta: { title: "imports.title", right: "imports" } },
    { path: "/surveys/:name?", name: "surveys", component: () => import("./pages/surveys/SurveysPage.vue"), meta: { title: "surveys.title", right: "surveys" } },
    { path: "/files/reach", name: "reach", component: () => import("./pages/files/ReachPage.vue"), meta: { title: "files.reach", right: "exports" } },
    { path: "/people/:part?", name: "people", component: () => import("./pages/people/PeoplePage.vue"), meta: { title: "common.people", right: "people", house: true } },
    { path: "/audit", name: "audit", component: () => import("./pages/people/AuditPage.vue"), meta: { title: "common.audit", right: "audit", house: true } },
    { path: "/:rest(.*)*", redirect: "/" },
  ],
});

router.beforeEach(async (to) => {
  await restore();
  if (to.meta.open) return user.value && to.name === "sign-in" ? startOf() : true;
  if (!user.value) return { name: "sign-in", query: to.fullPath === "/" ? {} : { then: to.fullPath } };
  if (to.meta.right && !may(to.meta.right)) return startOf();
  return true;
});

// The program of a page comes when it is opened: it may be out of reach, or gone since the server was upgraded.
router.onError(() => ElMessage({ message: t("common.pageMissing"), type: "warning", duration: 0, showClose: true }));

router.afterEach((to) => {
  if (to.name !== "overview" && !to.meta.open) forgetAhead();
  document.title = `${t(to.meta.title ?? "common.console")} · ${t("common.product")}`;
});
