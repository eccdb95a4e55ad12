/** One suite for streams, over every kind of socket. */
import "../support/leak-guard.js";
import { kinds } from "../support/pairs.js";
import { checkEnding } from "./ending.js";
import { checkReading } from "./reading.js";
import { plain } from "./traits.js";
import { checkWriting } from "./writing.js";

for (const kind of kinds) {
  for (const check of [checkReading, checkWriting, checkEnding]) check(kind, plain);
}
