// What became of an operation, and what stops a synchronisation, in the words that a person is shown.

import { FINAL_OUTCOMES } from "./view.ts";
import type { Labels, Problem, ProblemCode } from "./types.ts";

const STATE_WORDS: Record<string, Labels> = {
  unsent: { zh: "仅在本机，等待上传", en: "on this phone only, waiting to be sent" },
  sent: { zh: "已发出，等待回执", en: "sent, waiting for the answer" },
};

const OUTCOME_WORDS: Record<string, Labels> = {
  applied: { zh: "已写入", en: "recorded" },
  merged: { zh: "已合并：他人同时改了别的内容", en: "merged: others changed other things meanwhile" },
  unchanged: { zh: "内容相同，无需改动", en: "nothing to change: the same was already recorded" },
  conflict: { zh: "两人填的不一样：两个值都已保留，等人决定", en: "two people wrote different things: both are kept, somebody decides" },
  held: { zh: "已收到，等另一条", en: "received, waits for another one" },
  quarantined: { zh: "已收到，待核对", en: "received, set apart until somebody has looked at it" },
  erased: { zh: "当事人资料已依法删除", en: "the person's data was lawfully erased" },
};

const REASON_WORDS: Record<string, Labels> = {
  parent: { zh: "所属的记录还没有到", en: "the record it belongs to has not arrived yet" },
  form: { zh: "服务器还不认识这一版表单", en: "the server does not know this version of the form yet" },
  behind: { zh: "前一条还没有处理完", en: "an earlier one of the same record is not done yet" },
  install: { zh: "设备待确认", en: "the device has to be confirmed" },
  proposal: { zh: "涉及别的网格，等有权限的人确认", en: "it concerns other cells: somebody over all of them confirms" },
  own_office: { zh: "等本社区书记确认", en: "the secretary of this community has to confirm it first" },
  crossing: { zh: "等对方社区接收", en: "the other community has to accept it" },
  declined: { zh: "未同意", en: "declined" },
  group: { zh: "同组的其他内容有问题", en: "another part of the same group has a problem" },
  moved_away: { zh: "已迁往其他社区，由本社区处理", en: "it lives in another community by now: the office of this one decides" },
  not_alone: { zh: "迁往其他社区要单独提交", en: "a move to another community has to be sent by itself" },
  out_of_scope: { zh: "不在负责的范围内", en: "outside the cells or lines of work this phone is responsible for" },
  invalid: { zh: "填写内容有误", en: "what was filled in is not acceptable" },
  malformed: { zh: "内容读不出来", en: "it cannot be read" },
  survey_closed: { zh: "调查已结束，答卷另存，由书记决定", en: "the survey is closed: the answer is kept, the secretary decides" },
  oversized: { zh: "内容过大", en: "it is too large" },
  moved: { zh: "记录已迁到其他社区", en: "the record lives in another community now" },
  discarded: { zh: "已作废", en: "discarded" },
  unexpected: { zh: "服务器处理出错，等人查看", en: "the server failed over it, somebody looks at it" },
  op_id_reused: { zh: "同一编号下内容不同", en: "something else came under the same id before" },
  unknown_type: { zh: "服务器不认识这种记录", en: "the server does not know this kind of record" },
  type_differs: { zh: "编号已属于另一种记录", en: "the id belongs to another kind of record" },
  server_made: { zh: "这种记录由系统生成", en: "records of this kind are made by the server" },
};

const CONTAINED: Labels = { zh: "，本机已更新", en: ", and this phone is up to date" };
const plain = (text: string): Labels => ({ zh: text, en: text });

/** Reasons for which an operation waits for people or for another community, not for another operation. */
const WAITS_FOR_PEOPLE: ReadonlySet<string> = new Set(["proposal", "own_office", "crossing", "install", "moved"]);

/** Words for what became of one operation. What this phone does not know is shown as it came. */
export function outcomeWords(state: string, outcome: string | null, reason: string | null, settled: boolean): Labels {
  if (outcome === null) return STATE_WORDS[state] ?? plain(state);
  const said = OUTCOME_WORDS[outcome] ?? plain(outcome);
  if (reason === "declined" || reason === "discarded") return REASON_WORDS[reason] as Labels;
  if (!FINAL_OUTCOMES.has(outcome) && reason) {
    const why = REASON_WORDS[reason] ?? plain(reason);
    if (outcome === "held" && WAITS_FOR_PEOPLE.has(reason)) return { zh: `已收到，${why.zh}`, en: `received; ${why.en}` };
    return { zh: `${said.zh}（${why.zh}）`, en: `${said.en} (${why.en})` };
  }
  const isRecorded = settled && (outcome === "applied" || outcome === "merged" || outcome === "unchanged");
  return isRecorded ? { zh: said.zh + CONTAINED.zh, en: said.en + CONTAINED.en } : said;
}

/** Why an operation waits. What this phone does not know is shown as it came. */
export const reasonWords = (reason: string): Labels => REASON_WORDS[reason] ?? plain(reason);

type Words = [severity: Problem["severity"], says: [string, string], next: [string, string]];

const PROBLEM_WORDS: Record<ProblemCode, Words> = {
  offline: ["wait", ["没有网络", "No network"], ["照常工作，有信号时自动上传", "Go on working; it is sent when there is a signal"]],
  busy: ["wait", ["服务器忙", "The server is busy"], ["稍后会自动再试", "It is tried again in a while"]],
  revoked: ["stop", ["这台手机已被停用", "This phone was revoked"], ["先导出未上传的内容，再联系社区", "Export what is not sent, then ask the community"]],
  leaving: ["stop", ["这台手机已停用，还有内容没有送完", "This phone is out of use and still has something to hand over"], ["请连着网络、打开程序，再点一次上传更新；送完后本机内容会自动清除", "Keep it online and synchronise again; then it erases itself"]],
  erased_left: ["warn", ["这台手机已停用，本机内容已清除", "This phone is out of use: it was erased"], ["填过的内容都已送到社区。还要用这台手机，请向社区要新的登记码", "Everything you wrote has arrived. To use this phone again, ask for a new code"]],
  erased_lost: ["stop", ["这台手机已报失，本机内容已全部清除", "This phone was reported lost: everything on it was erased"], ["捡到手机请交还社区。手机找回来了，请向社区要新的登记码", "If you found it, give it back to the community. To use it again, ask for a new code"]],
  token_refused: ["stop", ["服务器不认这台手机的登记", "The server does not take this phone's registration"], ["先导出未上传的内容，再向社区要新的登记码", "Export what is not sent, then ask for a new code"]],
  role_refused: ["stop", ["这个账号不能用手机采集", "This account may not work with a phone"], ["请联系社区", "Ask the community"]],
  version_old: ["stop", ["程序版本太旧", "The program is too old"], ["连上网络后更新程序，内容都会保留", "Update the program; everything stays"]],
  clock_wrong: ["warn", ["手机时间不准", "The phone's clock is wrong"], ["请在系统设置里打开自动时间", "Turn on automatic time in the settings"]],
  storage_temporary: ["warn", ["浏览器可能会清除本机内容", "The browser may remove what is on this phone"], ["请把程序安装到主屏幕，并尽快上传", "Install the app to the home screen and synchronise soon"]],
  storage_full: ["stop", ["手机存储已满，刚才那一条没有保存", "The phone is full: the last entry was not kept"], ["先清出空间，再重新保存", "Free some space, then save again"]],
  no_room: ["stop", ["手机存储已满：现在只能看，不能填", "The phone is full: it can be read, nothing new is kept"], ["已填的都在本机。请先删掉手机上别的照片或程序，清出空间，再上传更新", "What you wrote is still here. Remove other photos or apps from the phone, then synchronise"]],
  storage_refused: ["stop", ["浏览器不让这个网站在手机里存东西", "The browser lets this site keep nothing on the phone"], ["请换到普通窗口（不要用无痕模式），在浏览器设置里允许这个网站保存数据，再打开", "Use an ordinary window, not a private one, allow this site to save data in the browser's settings, then open it again"]],
  storage_broken: ["stop", ["本机存储读不出来", "What is stored on this phone cannot be read"], ["请把手机交给社区处理，不要清除数据", "Hand the phone to the community; do not clear the data"]],
  scope_changed: ["warn", ["负责的网格有变化", "Your cells have changed"], ["请看一下现在的网格；已填的内容都会上传", "Look at your cells; everything written is sent"]],
  fork_needed: ["wait", ["服务器上有另一台手机用同样的登记传过内容", "Another phone has sent work under this registration"], ["再上传更新一次，这台手机会单独登记，内容都会保留", "Synchronise again: this phone gets a registration of its own, everything stays"]],
  unconfirmed: ["wait", ["服务器刚恢复过，正在等社区确认这台手机", "The server was restored: the community confirms this phone"], ["照常填写和上传；确认后会收到更新", "Go on writing and synchronising; news arrive once it is confirmed"]],
  copies_doubtful: ["warn", ["本机内容与服务器核对不上", "The copies here differ from the server's"], ["可以继续填写；请告诉社区管理员", "Go on writing; tell the administrator"]],
  photo_stays: ["warn", ["有照片传不上去", "A photo cannot be uploaded"], ["其他内容照常上传；请打开有照片的那一条，去掉这张照片重拍", "Everything else is sent; open the record with the photo, take it out and take it again"]],
  failed: ["stop", ["程序出错，这次没有传完", "The program failed: this synchronisation was not finished"], ["内容都在本机；请关掉程序重新打开再试，还不行就告诉社区管理员", "Everything is still here; close the app, open it and try again; if that does not help, tell the administrator"]],
  refused: ["stop", ["服务器没有接受这次上传", "The server refused this synchronisation"], ["内容都在本机；请联系社区管理员", "Everything is still here; tell the administrator"]],
  not_understood: ["wait", ["服务器的回答读不懂", "The server's answer cannot be understood"], ["内容都在本机；稍后再试", "Everything is still here; try again later"]],
};

/** A problem in words. */
export function problem(code: ProblemCode, more: Partial<Problem> = {}): Problem {
  const [severity, says, next] = PROBLEM_WORDS[code];
  return { code, severity, says: { zh: says[0], en: says[1] }, next: { zh: next[0], en: next[1] }, ...more };
}

/** Out of use, and only what was begun is still here: the person finishes it or gives it up. */
export const leavingDrafts = (reason: string, drafts: number): Problem =>
  problem("leaving", {
    says: { zh: `这台手机已停用，还有 ${drafts} 份没写完的`, en: `This phone is out of use; begun and not saved: ${drafts}` },
    next: { zh: "请在首页“没写完的”里写完保存，或者不要了，再点一次上传更新；之后本机内容会自动清除", en: "Finish and save them on the first screen, or give them up, and synchronise again; then it erases itself" },
    details: { reason, drafts },
  });
