// What every page needs a script for. Pages work without it, apart from what changes live.
//
// Each module does one thing to the whole document, and to what is swapped into it later: they
// listen on the document and find their elements by `data-` attributes.

import "./settings.js";
import "./requests.js";
import "./copy.js";
import "./dialogs.js";
import "./keys.js";
import "./tables.js";
import "./times.js";
import "./live.js";
