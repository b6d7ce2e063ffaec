/*
 * OpenMP for a process of one thread. libtesseract splits its loops by libgomp's functions; even
 * with a limit of one thread those build a team and wake a futex 25,000 times for a receipt, 5 % of
 * its CPU time (docs/decisions/0009-ocr-serial.md). serial.c defines the four of them that
 * libtesseract calls, so that the dynamic linker takes ours; what else libgomp offers sees no team
 * and does as a lone thread.
 */
#ifndef ESTEIRA_OCR_JAIL_SERIAL_H
#define ESTEIRA_OCR_JAIL_SERIAL_H

/* Does nothing; calling it keeps serial.c in the program. */
void serial_use(void);

#endif
