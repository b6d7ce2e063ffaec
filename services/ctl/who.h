/*
 * Who decides, as the audit names it: what --who says, or else who is at the keyboard of which
 * machine, as far as it knows.
 */
#ifndef ESTEIRA_CTL_WHO_H
#define ESTEIRA_CTL_WHO_H

#include "base/err.h"
#include "command.h"

/* The option of every command that asks. */
#define WHO_OPTION "--who", "NAME", false, "Who decides, for the audit; user@host when not given."

/* 1 to OPERATION_TEXT_MAX bytes of UTF-8, borrowed or in the call's arena. ERR_REJECT
 * bad-parameter, record-too-large: the arena is full. */
struct err who_read(const struct command_call *call, const char **ret_who) ERR_MUST_USE;

#endif
