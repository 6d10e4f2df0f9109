import { describe, expect, it } from "vitest";
import { codeIn } from "./code.ts";

const CODE = "4JNS-SY1J-Y1AV";

describe("the enrolment code in what was typed, pasted or scanned", () => {
  it.each([
    ["as it is printed", "4JNS-SY1J-Y1AV", CODE],
    ["in small letters", "4jns-sy1j-y1av", CODE],
    ["without its strokes, or with spaces", " 4JNS SY1JY1AV ", CODE],
    ["behind its own name", "登记码4JNS-SY1J-Y1AV，三天内有效", CODE],
    ["in the address of the QR code", "https://dishu.example.cn/field/#/enrol?code=4JNS-SY1J-Y1AV", CODE],
    ["at a server whose name looks like a code", "https://jiedaodishu1.example.cn/field/#/enrol?code=4JNS-SY1J-Y1AV", CODE],
    ["at a server whose name looks like a printed code", "https://abcd-2024-sqws.example.cn/field/?x=1&code=4jns-sy1j-y1av#/", CODE],
    ["beside the address of such a server", "https://jiedaodishu1.example.cn/field/，登记码 4JNS-SY1J-Y1AV", CODE],
    ["in an address without its beginning", "jiedaodishu1:8000/field/#/enrol?code=4JNS-SY1J-Y1AV", CODE],
    ["nowhere in an address that gives none", "https://jiedaodishu1.example.cn/field/", null],
    ["nowhere in an address that gives half of one", "https://jiedaodishu1.example.cn/field/#/enrol?code=4JNS-SY", null],
    ["nowhere in the place where the app stood", "https://dishu.example.cn/field/#/person/018f3c1e-7b2a-7c3d-8e4f-0123456789ab", null],
    ["nowhere in a longer word", "X4JNSSY1JY1AV", null],
    ["nowhere in nothing", "", null],
  ])("%s", (_where, text, found) => expect(codeIn(text)).toBe(found));
});
