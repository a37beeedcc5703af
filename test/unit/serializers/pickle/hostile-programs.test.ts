// Pickles that are damaged or never were any: each ends in CorruptStateError, with the offset.

import { describe, expect, test } from "vitest";

import { CorruptStateError } from "../../../../src/errors.ts";
import { pickle } from "../../../../src/pickle.ts";
import { assemble, length, named, op, repeat, text, type Part } from "./assembler.ts";

function refusal(bytes: Uint8Array): string {
  try {
    pickle.deserialize(bytes);
  } catch (error) {
    if (error instanceof CorruptStateError) return error.message;
    throw error;
  }
  throw new Error("it was read");
}

const one = [op.BININT1, 1];
const huge = 2n ** 60n;

describe("[S6] lengths that are not true", () => {
  test.each<readonly [what: string, parts: Part]>([
    ["BINUNICODE8 of 2^60", [op.BINUNICODE8, length(huge, 8), "x"]],
    ["BINUNICODE8 of 2^64-1", [op.BINUNICODE8, length(-1n, 8), "x"]],
    ["BINBYTES8 of 2^60", [op.BINBYTES8, length(huge, 8), "x"]],
    ["BINBYTES8 of 2^53+1", [op.BINBYTES8, length(2n ** 53n + 1n, 8), "x"]],
    ["BYTEARRAY8 of 2^60", [op.BYTEARRAY8, length(huge, 8), "x"]],
    ["FRAME of 2^60", [op.PROTO, 4, op.FRAME, length(huge, 8), op.NONE]],
    ["FRAME of one more", [op.PROTO, 4, op.FRAME, length(3n, 8), op.NONE]],
    ["BINUNICODE of 2^32-1", [op.BINUNICODE, length(0xffffffff), "x"]],
    ["BINBYTES of 2^31", [op.BINBYTES, length(2 ** 31), "x"]],
    ["BINSTRING of -1", [op.BINSTRING, length(0xffffffff), "x"]],
    ["LONG4 of 2^31-1", [op.LONG4, length(2 ** 31 - 1), "x"]],
    ["LONG4 of -1", [op.LONG4, length(0xffffffff), "x"]],
    ["LONG1 of 255", [op.LONG1, 255, "x"]],
    ["SHORT_BINUNICODE of 2", [op.SHORT_BINUNICODE, 3, "x"]],
    ["SHORT_BINSTRING of 255", [op.SHORT_BINSTRING, 255, "x"]],
    ["SHORT_BINBYTES of 255", [op.SHORT_BINBYTES, 255, "x"]],
  ])("%s", (_, parts) => {
    expect(refusal(assemble(parts, op.STOP))).toMatch(/asks for -?\d+ bytes at byte \d+, where \d+ are left/);
  });
});

describe("[S6] instructions that do not fit", () => {
  test.each<readonly [what: string, parts: Part, message: RegExp]>([
    ["nothing", [], /asks for 1 bytes at byte 0/],
    ["no end", [op.NONE], /asks for 1 bytes at byte 1/],
    ["an end without a value", [op.STOP], /takes a value from the stack that is not there at byte 0/],
    ["a value left over", [op.NONE, op.NONE, op.STOP], /ends with values left over at byte 2/],
    ["a mark left over", [op.MARK, op.NONE, op.STOP], /ends with values left over/],
    ["a byte after the end", [op.NONE, op.STOP, 0], /has 1 more bytes after its end at byte 1/],
    ["a second pickle", [op.NONE, op.STOP, op.NONE, op.STOP], /has 2 more bytes/],
    ["an unknown instruction", [op.NONE, 0xff, op.STOP], /has the unknown instruction 0xff at byte 1/],
    ["a zero", [0, op.STOP], /has the unknown instruction 0x00 at byte 0/],
    ["JSON", ["{}"], /has the unknown instruction 0x7b at byte 0/],
    ["protocol 6", [op.PROTO, 6, op.NONE, op.STOP], /has the protocol 6 \(0 to 5 are read\) at byte 0/],
    ["APPEND to nothing", [op.NONE, op.APPEND, op.STOP], /takes a value from the stack/],
    ["APPEND to None", [op.NONE, op.NONE, op.APPEND, op.STOP], /appends to something that is not a list/],
    [
      "APPEND to a tuple",
      [op.EMPTY_TUPLE, op.NONE, op.APPEND, op.STOP],
      /appends to something that is not a/,
    ],
    ["APPENDS without a mark", [op.EMPTY_LIST, op.APPENDS, op.STOP], /goes back to a mark that is not there/],
    ["APPENDS to a mark", [op.MARK, op.MARK, op.APPENDS, op.STOP], /takes a value from the stack/],
    ["TUPLE without a mark", [op.NONE, op.TUPLE, op.STOP], /goes back to a mark that is not there/],
    ["TUPLE3 of two", [op.NONE, op.NONE, op.TUPLE3, op.STOP], /takes a value from the stack/],
    ["TUPLE2 over a mark", [op.NONE, op.MARK, op.NONE, op.TUPLE2, op.STOP], /takes a value from the stack/],
    ["POP of nothing", [op.POP, op.STOP], /takes a value from the stack/],
    ["POP_MARK without a mark", [op.NONE, op.POP_MARK, op.STOP], /goes back to a mark/],
    ["DUP of nothing", [op.DUP, op.STOP], /takes a value from the stack/],
    ["DUP over a mark", [op.NONE, op.MARK, op.DUP, op.STOP], /takes a value from the stack/],
    ["DICT with a key alone", [op.MARK, one, op.DICT, op.STOP], /has a key without its value/],
    [
      "SETITEMS with a key alone",
      [op.EMPTY_DICT, op.MARK, one, op.SETITEMS, op.STOP],
      /has a key without its/,
    ],
    [
      "SETITEM of a list",
      [op.EMPTY_LIST, one, one, op.SETITEM, op.STOP],
      /item of something that is not a dict/,
    ],
    [
      "ADDITEMS to a list",
      [op.EMPTY_LIST, op.MARK, one, op.ADDITEMS, op.STOP],
      /adds to something that is not a/,
    ],
    [
      "a list for a key",
      [op.EMPTY_DICT, op.EMPTY_LIST, one, op.SETITEM, op.STOP],
      /a dict that Python cannot hash/,
    ],
    [
      "a dict for a key",
      [op.EMPTY_DICT, op.EMPTY_DICT, one, op.SETITEM, op.STOP],
      /a dict that Python cannot hash/,
    ],
    [
      "a set for a key",
      [op.EMPTY_DICT, op.EMPTY_SET, one, op.SETITEM, op.STOP],
      /a dict that Python cannot hash/,
    ],
    [
      "a list deep in a key",
      [op.EMPTY_DICT, op.EMPTY_LIST, op.TUPLE1, op.TUPLE1, one, op.SETITEM],
      /cannot hash/,
    ],
    [
      "a list in a set",
      [op.EMPTY_SET, op.MARK, op.EMPTY_LIST, op.ADDITEMS, op.STOP],
      /set that Python cannot hash/,
    ],
    [
      "a list in a frozenset",
      [op.MARK, op.EMPTY_LIST, op.FROZENSET, op.STOP],
      /a set that Python cannot hash/,
    ],
    [
      "a set in itself",
      [op.EMPTY_SET, op.DUP, op.MARK, op.BINGET, 0],
      /refers to the value 0, which it has not/,
    ],
    ["GET of nothing", [op.BINGET, 3, op.STOP], /refers to the value 3, which it has not at byte 0/],
    ["GET of a text", [op.GET, "x\n", op.STOP], /in place of the index of a value/],
    ["GET of -1", [op.NONE, op.PUT, "-1\n", op.STOP], /in place of the index of a value/],
    ["GET without an end", [op.GET, "0"], /asks for a line without its end at byte 1, where 1 are left/],
    ["PUT of a million digits", [op.NONE, op.PUT, repeat(1e6, "9"), "\n", op.STOP], /place of the index/],
    ["PUT of nothing", [op.BINPUT, 0, op.STOP], /takes a value from the stack/],
    ["MEMOIZE of nothing", [op.MEMOIZE, op.STOP], /takes a value from the stack/],
    ["REDUCE of nothing", [op.REDUCE, op.STOP], /takes a value from the stack/],
    ["GLOBAL without an end", [op.GLOBAL, "os\nsystem"], /asks for a line without its end/],
  ])("%s", (_, parts, message) => {
    expect(refusal(assemble(parts))).toMatch(message);
  });
});

describe("[S6] values that are none", () => {
  const reduced = (name: string, ...args: readonly Part[]): Part => [
    ...[named("datetime", name), op.MARK, ...args, op.TUPLE, op.REDUCE],
  ];
  const raw = (...bytes: readonly number[]): Part => [op.SHORT_BINBYTES, bytes.length, bytes];
  const noDate = /calls "datetime\.\w+" with arguments that make no plain data/;
  test.each<readonly [what: string, parts: Part, message: RegExp]>([
    ["INT of a text", [op.INT, "one\n"], /in place of a whole number/],
    ["INT of nothing", [op.INT, "\n"], /in place of a whole number/],
    ["INT in base 16", [op.INT, "0x10\n"], /in place of a whole number/],
    ["LONG of a float", [op.LONG, "1.5L\n"], /in place of a whole number/],
    [
      "LONG of 10 001 digits",
      [op.LONG, repeat(10_001, "9"), "L\n"],
      /a number of 10001 decimal digits \(10000/,
    ],
    ["FLOAT of a text", [op.FLOAT, "Infinity\n"], /in place of a float/],
    ["FLOAT of code", [op.FLOAT, "__import__('os')\n"], /in place of a float/],
    ["FLOAT of a property's name", [op.FLOAT, "toString\n"], /in place of a float/],
    ["UNICODE with half an escape", [op.UNICODE, "\\u12\n"], /a text that is not valid/],
    ["UNICODE beyond the last character", [op.UNICODE, "\\U00110000\n"], /a text that is not valid/],
    ["UNICODE that ends in a backslash", [op.UNICODE, "x\\\n"], /a text that is not valid/],
    ["UNICODE with a pair of two characters", [op.UNICODE, "\\ud83d\\ude00\n"], /JavaScript cannot keep/],
    [
      "a pair of two characters",
      [op.SHORT_BINUNICODE, 6, "\xed\xa0\xbd\xed\xb8\x80"],
      /JavaScript cannot keep/,
    ],
    ["text that is not UTF-8", [op.SHORT_BINUNICODE, 2, "\xc3\x28"], /a text that is not valid/],
    ["text with an overlong NUL", [op.SHORT_BINUNICODE, 2, "\xc0\x80"], /a text that is not valid/],
    [
      "a surrogate and then no UTF-8",
      [op.SHORT_BINUNICODE, 4, "\xed\xa0\xbd\xff"],
      /a text that is not valid/,
    ],
    ["STRING without quotes", [op.STRING, "abc\n"], /a string without its quotes/],
    ["STRING with one quote", [op.STRING, "'\n"], /a string without its quotes/],
    [
      "STRING with a wrong escape",
      [op.STRING, "'\\x4'\n"],
      /a string without its quotes, or with a wrong escape/,
    ],
    ["STRING that ends in an escape", [op.STRING, "'\\'\n"], /with a wrong escape/],
    ["STRING that is not ASCII", [op.STRING, "'\\xe9'\n"], /a string of Python 2 that is not ASCII/],
    ["BINSTRING that is not ASCII", [op.SHORT_BINSTRING, 1, 0xe9], /a string of Python 2 that is not ASCII/],
    ["a date of 3 bytes", reduced("date", raw(7, 234, 1)), noDate],
    ["a date in the year 0", reduced("date", raw(0, 0, 1, 1)), noDate],
    ["February 30", reduced("date", raw(7, 234, 2, 30)), noDate],
    ["a date of numbers", reduced("date", one, one, one), noDate],
    ["25 o'clock", reduced("time", raw(25, 0, 0, 0, 0, 0)), noDate],
    ["a million microseconds", reduced("time", raw(1, 0, 0, 0x0f, 0x42, 0x40)), noDate],
    [
      "a datetime with a text for its zone",
      reduced("datetime", raw(7, 234, 1, 1, 0, 0, 0, 0, 0, 0), text("x")),
      noDate,
    ],
    ["a timedelta of texts", reduced("timedelta", text("1")), noDate],
    ["a timedelta of a billion days", reduced("timedelta", [op.BININT, length(1e9)]), noDate],
    ["a timedelta of 2^70 days", reduced("timedelta", [op.LONG1, 9, "\0\0\0\0\0\0\0\0\x40"]), noDate],
    ["a timezone of a day", reduced("timezone", reduced("timedelta", one)), noDate],
    ["a timezone without an offset", reduced("timezone"), noDate],
  ])("%s", (_, parts, message) => {
    expect(refusal(assemble(parts, op.STOP))).toMatch(message);
  });
});
