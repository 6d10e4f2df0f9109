import type { Words } from "./all.ts";

export const problems = {
  failed: ["没有成功：{why}", "It did not work: {why}"],
  noConnection: ["连不上服务器，请检查网络", "The server cannot be reached; check the network"],
  wrongCredentials: ["账号或密码不对", "Account or password is wrong"],
  accountLocked: ["试错太多次，账号暂时锁定，请稍后再试", "Too many attempts: the account is locked for a while"],
  slowDown: ["操作太快了，请稍等", "Too fast; please wait a moment"],
  outsideScope: ["这不在您的工作范围内", "This is outside your scope"],
  notFound: ["没有找到，可能已被移走或删除", "Not found; it may have been moved or deleted"],
  notYet: ["本服务器版本还不提供这一项", "This version of the server does not offer this"],
  busy: ["服务器正忙，请稍后重试", "The server is busy; try again shortly"],
  invalidInput: ["有内容不符合要求", "Something does not fit"],
  invalidCells: ["网格有错误，不能发布", "The cells have errors and cannot be published"],
  alreadyExists: ["已经有了", "It exists already"],
  malformedBody: ["文件或内容无法读取", "The file or content cannot be read"],
  bodyTooLarge: ["文件太大", "The file is too large"],
  unsupportedBody: ["不支持这种文件", "This kind of file is not supported"],
  atFields: ["请看标红的栏目", "See the fields in red"],
} satisfies Words;
