// What every page needs a script for. Pages work without it, apart from what changes live.
