import { follow } from "./live.js";
import { keys } from "./keys.js";
import { wire } from "./wire.js";

wire(document);
keys();
follow(() => wire(document));
