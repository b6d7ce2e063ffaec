/*
 * What the key service of port/transit.h answers. Read in place: a JSON library would leave a copy
 * of a key in memory that nobody wipes. Any thread.
 * Source: OpenBao API, /v1/transit (https://openbao.org/api-docs/secret/transit/).
 */
#ifndef ESTEIRA_PORT_TRANSIT_ANSWER_H
#define ESTEIRA_PORT_TRANSIT_ANSWER_H

#include "base/err.h"
#include "base/str.h"

/* The value of the text member of that name, given in its quotes; part of json, { NULL, 0 }: none.
 * An answer has one object with it; a value with escapes ends at its first quote. */
struct str transit_answer_member(struct str json, struct str quoted);

/* Whether text stands somewhere in it. */
bool transit_answer_says(struct str body, const char *text);

/* What an HTTP status and its body mean. ERR_REJECT undecryptable: this ciphertext is not the
 * key's; every other doubt is ours, ERR_RETRY keys-refused or keys-away. */
struct err transit_answer_judge(int status, struct str body) ERR_MUST_USE;

#endif
