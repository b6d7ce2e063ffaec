/*
 * Two detours of libtesseract, cut short by defining what it calls; the dynamic linker prefers the
 * program's functions (docs/decisions/0009-ocr-shortcuts.md).
 * OpenMP: even with a limit of one thread libgomp builds a team for each loop and wakes a futex at
 * its end, 25,000 times for a receipt. The four functions libtesseract calls run the loop in place;
 * what else libgomp offers sees no team and does as a lone thread.
 * PNG: the bitmap of every line of text is compressed and at once decompressed. Here it is copied.
 */
#ifndef ESTEIRA_OCR_JAIL_SHORTCUT_H
#define ESTEIRA_OCR_JAIL_SHORTCUT_H

/* Does nothing; calling it keeps shortcut.c in the program. */
void shortcut_use(void);

#endif
