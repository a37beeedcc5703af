// Pickles that ask for code: each is refused with the name that it asked for and the offset, and nothing is run.

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { CorruptStateError } from "../../../../src/errors.ts";
import { pickle } from "../../../../src/pickle.ts";
import { assemble, named, op, stackNamed, text, type Part } from "./assembler.ts";

function refusal(...parts: readonly Part[]): string {
  try {
    pickle.deserialize(assemble(...parts));
  } catch (error) {
    if (error instanceof CorruptStateError) return error.message;
    throw error;
  }
  throw new Error("it was read");
}

const canary = join(tmpdir(), `holdfast-pickle-ran-${String(process.pid)}`);
const command = text(`touch ${canary}`);

/** Module and name. Those that plain data needs are not here; what is near them is. */
const names = [
  ...[
    "os system",
    "os popen",
    "os execv",
    "posix system",
    "nt system",
    "posix _exit",
    "pty spawn",
    "sys exit",
  ],
  ...[
    "subprocess Popen",
    "subprocess check_output",
    "subprocess call",
    "commands getoutput",
    "shutil rmtree",
  ],
  ...["builtins eval", "builtins exec", "builtins getattr", "builtins setattr", "builtins __import__"],
  ...["builtins compile", "builtins open", "builtins input", "builtins breakpoint", "builtins type"],
  ...["builtins object", "builtins int", "builtins list", "builtins dict", "builtins tuple", "builtins str"],
  ...["builtins complex", "builtins range", "builtins slice", "builtins map", "builtins memoryview"],
  ...["builtins set.__init__", "builtins set.add", "builtins bytes.join", "builtins SET", "builtins  set"],
  ...[
    "__builtin__ eval",
    "__builtin__ execfile",
    "__builtin__ apply",
    "__builtin__ file",
    "__builtin__ reduce",
  ],
  ...["copy_reg _reconstructor", "copyreg _reconstructor", "copyreg __newobj__", "copyreg __newobj_ex__"],
  ...[
    "_codecs decode",
    "_codecs lookup",
    "codecs encode",
    "codecs decode",
    "codecs open",
    "_codecs encode.x",
  ],
  ...["datetime tzinfo", "datetime datetime.now", "datetime datetime.fromtimestamp", "_datetime datetime"],
  ...["zoneinfo ZoneInfo._unpickle", "pytz _UTC", "collections OrderedDict", "collections defaultdict"],
  ...[
    "decimal Decimal",
    "fractions Fraction",
    "uuid UUID",
    "pathlib PosixPath",
    "array _array_reconstructor",
  ],
  ...["numpy.core.multiarray _reconstruct", "pandas DataFrame", "__main__ Evil", "types FunctionType"],
  ...["types CodeType", "functools partial", "operator attrgetter", "operator methodcaller", "pickle loads"],
  ...["marshal loads", "importlib import_module", "runpy _run_code", "timeit timeit", "webbrowser open"],
  ...["socket create_connection", "ctypes CDLL", "code interact", "pdb run", "logging FileHandler"],
  ...["constructor constructor", "__proto__ constructor", "Object prototype", "global eval", " set", "set "],
].map((line) => {
  const [module = "", ...rest] = line.split(" ");
  return [module, rest.join(" ")] as const;
});

describe.each(names)("%s %s", (module, name) => {
  const shown = `asks for ${JSON.stringify(`${module}.${name}`)}, which is not plain data and was not run, at byte`;

  test("by GLOBAL", () => {
    expect(refusal(named(module, name), op.MARK, command, op.TUPLE, op.REDUCE, op.STOP)).toContain(
      `${shown} 0`,
    );
    const nested = [op.EMPTY_LIST, op.NONE, op.APPEND, named(module, name), command, op.TUPLE1, op.REDUCE];
    expect(refusal(nested, op.APPEND, op.STOP)).toContain(`${shown} 3`);
  });

  test("by STACK_GLOBAL", () => {
    const at = module.length + name.length + 4;
    expect(refusal(stackNamed(module, name), command, op.TUPLE1, op.REDUCE, op.STOP)).toContain(
      `${shown} ${String(at)}`,
    );
  });

  test("by INST", () => {
    const message = refusal(op.MARK, command, op.INST, `${module}\n${name}\n`, op.STOP);
    expect(message).toContain(
      `makes an instance of ${JSON.stringify(`${module}.${name}`)}, which is not plain data`,
    );
  });
});

test("nothing has run", () => {
  expect(existsSync(canary)).toBe(false);
});

describe("names of the list, for something else than plain data", () => {
  const set = named("builtins", "set");
  const bytes = stackNamed("builtins", "bytes");
  const encode = named("_codecs", "encode");
  const list = [op.MARK, op.BININT1, 1, op.LIST];
  test.each<readonly [what: string, parts: Part, message: RegExp]>([
    ["called by OBJ", [op.MARK, set, list, op.OBJ], /makes an instance of "builtins.set".* at byte/],
    ["called by NEWOBJ", [set, op.EMPTY_TUPLE, op.NEWOBJ], /makes an instance of "builtins.set"/],
    ["called by NEWOBJ_EX", [set, op.EMPTY_TUPLE, op.EMPTY_DICT, op.NEWOBJ_EX], /instance of "builtins.set"/],
    [
      "filled by BUILD",
      [set, list, op.TUPLE1, op.REDUCE, op.EMPTY_DICT, op.BUILD],
      /makes an instance of "a value"/,
    ],
    ["BUILD of the name itself", [set, op.EMPTY_DICT, op.BUILD], /makes an instance of "builtins.set"/],
    ["the name for a value", [set], /"builtins.set" itself for a value at byte 0/],
    ["the name in a list", [op.EMPTY_LIST, set, op.APPEND], /"builtins.set" itself for a value at byte 1/],
    ["the name in a dict", [op.EMPTY_DICT, text("k"), set, op.SETITEM], /"builtins.set" itself for a value/],
    [
      "the name in a tuple in a Map",
      [op.EMPTY_DICT, op.NONE, set, op.TUPLE1, op.SETITEM],
      /"builtins.set" itself/,
    ],
    [
      "the name as a key",
      [op.EMPTY_DICT, set, op.NONE, op.SETITEM],
      /a key of a dict that Python cannot hash/,
    ],
    [
      "the name in a set",
      [op.EMPTY_SET, op.MARK, set, op.ADDITEMS],
      /a member of a set that Python cannot hash/,
    ],
    [
      "set of a text",
      [set, text("abc"), op.TUPLE1, op.REDUCE],
      /calls "builtins.set" with arguments that make no/,
    ],
    ["set with two arguments", [set, list, list, op.TUPLE2, op.REDUCE], /calls "builtins.set"/],
    ["set with a list for arguments", [set, list, op.REDUCE], /calls "builtins.set"/],
    ["set of a set", [set, op.EMPTY_SET, op.TUPLE1, op.REDUCE], /calls "builtins.set"/],
    ["bytes of a length", [bytes, op.BININT, "\0\0\0\x7f", op.TUPLE1, op.REDUCE], /calls "builtins.bytes"/],
    [
      "bytearray of a length",
      [named("builtins", "bytearray"), op.BININT, "\0\0\0\x7f", op.TUPLE1, op.REDUCE],
      /calls/,
    ],
    [
      "bytearray in UTF-8",
      [named("builtins", "bytearray"), text("é"), text("utf8"), op.TUPLE2, op.REDUCE],
      /calls/,
    ],
    ["encode as rot13", [encode, text("abc"), text("rot13"), op.TUPLE2, op.REDUCE], /calls "_codecs.encode"/],
    [
      "encode as zip",
      [encode, text("abc"), text("zlib_codec"), op.TUPLE2, op.REDUCE],
      /calls "_codecs.encode"/,
    ],
    [
      "encode what is not Latin-1",
      [encode, text("€"), text("latin1"), op.TUPLE2, op.REDUCE],
      /calls "_codecs.enc/,
    ],
    ["encode without an encoding", [encode, text("abc"), op.TUPLE1, op.REDUCE], /calls "_codecs.encode"/],
    [
      "a call of what a call made",
      [set, op.EMPTY_TUPLE, op.REDUCE, op.EMPTY_TUPLE, op.REDUCE],
      /calls a value/,
    ],
    [
      "a call of a text",
      [text("os.system"), command, op.TUPLE1, op.REDUCE],
      /calls a value, which is not plain data/,
    ],
  ])("%s", (_, parts, message) => {
    expect(refusal(parts, op.STOP)).toMatch(message);
  });
});

test.each<readonly [what: string, parts: Part, message: RegExp]>([
  ["a persistent id", [op.PERSID, "db:\x1b[2J1\n"], /asks for the persistent id "db:\\u001b\[2J1" at byte 0/],
  [
    "a persistent id on the stack",
    [text("id-7"), op.BINPERSID],
    /asks for the persistent id "id-7" at byte 6/,
  ],
  ["an extension of 1 byte", [op.EXT1, 7], /asks for the registered extension 7, .* at byte 0/],
  ["an extension of 2 bytes", [op.EXT2, 7, 1], /asks for the registered extension 263, .* at byte 0/],
  [
    "an extension of 4 bytes",
    [op.EXT4, 7, 0, 0, 1],
    /asks for the registered extension 16777223, .* at byte 0/,
  ],
  ["a buffer from outside", [op.NEXT_BUFFER], /asks for a buffer that is not part of it at byte 0/],
  ["a read-only buffer", [op.SHORT_BINBYTES, 0, op.READONLY_BUFFER], /makes a buffer read-only.* at byte 2/],
  [
    "a name that is no text",
    [op.NONE, op.NONE, op.STACK_GLOBAL],
    /asks for a name that is not text at byte 2/,
  ],
])("%s is refused", (_, parts, message) => {
  expect(refusal(parts, op.STOP)).toMatch(message);
});

test("a name is shown on one line, escaped and cut short", () => {
  const message = refusal(named(`a\x1b]0;title\x07\r\u00e9\u009b${"x".repeat(10_000)}`, "b"), op.STOP);
  expect(message).toContain(String.raw`"a\u001b]0;title\u0007\r\u00e9\u009bxxxx`);
  expect(message.length).toBeLessThan(250);
  expect(message).toMatch(/^[\x20-\x7e…]+$/);
});
