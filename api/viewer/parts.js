// The parts of the page, in the order they are mounted. Each is a file with `mount(app)`; a new one is a line here.

import * as cardKinds from "./card_kinds.js";
import * as cases from "./cases.js";
import * as changes from "./changes.js";
import * as clicks from "./clicks.js";
import * as envelope from "./envelope.js";
import * as inView from "./inview.js";
import * as languages from "./languages.js";
import * as layers from "./layers.js";
import * as lookups from "./lookups.js";
import * as profile from "./profile.js";
import * as search from "./search.js";
import * as signIn from "./sign_in.js";
import * as split from "./split.js";
import * as time from "./time.js";

export const PARTS = [
  languages, cardKinds, lookups, search, clicks, layers, inView, signIn, time, envelope, split, profile, cases, changes,
];
