import { createRouter, createWebHashHistory } from "vue-router";
import { followBack } from "./model/layers.ts";
import HomeScreen from "./screens/HomeScreen.vue";

const history = createWebHashHistory("/field/");

/** About a record: shown while it is on this phone. */
const ABOUT = { about: true } as const;

export const router = createRouter({
  history,
  routes: [
    { path: "/", name: "home", component: HomeScreen },
    { path: "/due", name: "due", component: () => import("./screens/DueScreen.vue") },
    { path: "/find", name: "find", component: () => import("./screens/FindScreen.vue") },
    { path: "/map", name: "map", component: () => import("./screens/MapScreen.vue") },
    { path: "/sync", name: "sync", component: () => import("./screens/SyncScreen.vue") },
    { path: "/notice/:id(.*)", name: "notice", component: () => import("./screens/NoticeScreen.vue"), props: true },
    { path: "/me", name: "me", component: () => import("./screens/MeScreen.vue") },
    { path: "/rescue", name: "rescue", component: () => import("./screens/RescueScreen.vue") },
    { path: "/building/:id", name: "building", component: () => import("./screens/BuildingScreen.vue"), props: true, meta: ABOUT },
    { path: "/dwelling/:id", name: "dwelling", component: () => import("./screens/DwellingScreen.vue"), props: true, meta: ABOUT },
    { path: "/dwelling/:id/household/:kind", name: "new-household", component: () => import("./screens/NewMemberScreen.vue"), props: true, meta: ABOUT },
    { path: "/household/:id", name: "household", component: () => import("./screens/HouseholdScreen.vue"), props: true, meta: ABOUT },
    { path: "/household/:id/member", name: "new-member", component: () => import("./screens/NewMemberScreen.vue"), props: true, meta: ABOUT },
    { path: "/household/:id/change", name: "change", component: () => import("./screens/ChangeScreen.vue"), props: true, meta: ABOUT },
    { path: "/household/:id/move", name: "move", component: () => import("./screens/MoveScreen.vue"), props: true, meta: ABOUT },
    { path: "/household/:id/split", name: "split", component: () => import("./screens/SplitScreen.vue"), props: true, meta: ABOUT },
    { path: "/household/:id/join", name: "join", component: () => import("./screens/JoinScreen.vue"), props: true, meta: ABOUT },
    { path: "/person/:id", name: "person", component: () => import("./screens/PersonScreen.vue"), props: true, meta: ABOUT },
    { path: "/person/:id/leave/:how(left|died)", name: "leave", component: () => import("./screens/LeaveScreen.vue"), props: true, meta: ABOUT },
    { path: "/person/:id/party", name: "party", component: () => import("./screens/PartyScreen.vue"), props: true, meta: ABOUT },
    { path: "/resources", name: "resources", component: () => import("./screens/ResourcesScreen.vue") },
    { path: "/record/:id", name: "record", component: () => import("./screens/RecordScreen.vue"), props: true, meta: ABOUT },
    { path: "/edit/:id/:screen?", name: "edit", component: () => import("./screens/EditScreen.vue"), props: true, meta: ABOUT },
    { path: "/survey/:name", name: "survey", component: () => import("./screens/SurveyScreen.vue"), props: true },
    { path: "/new/:type", name: "new", component: () => import("./screens/NewScreen.vue"), props: true },
    { path: "/:rest(.*)", redirect: "/" },
  ],
  // where it begins it stands at the top already: asking for that would have the page laid out once more
  scrollBehavior: (_to, from, saved) => saved ?? (from.matched.length ? { top: 0 } : false),
});
followBack(router, history);
