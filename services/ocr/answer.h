/*
 * What a recogniser says, which comes from a process that has seen the document's bitmap and may
 * have been taken over by it.
 */
#ifndef ESTEIRA_OCR_ANSWER_H
#define ESTEIRA_OCR_ANSWER_H

#include "base/str.h"

#include "jail/request.h"

/* False, and nothing set, unless it is one whole answer within its bounds with UTF-8 behind it;
 * *ret_text lies in bytes. The verdict may be one we do not know. Any thread. */
bool answer_take(struct str bytes, struct jail_answer *ret_answer, struct str *ret_text);

#endif
