#include "port/redis_out.h"

#include <stdlib.h>
#include <string.h>

#include "port/loop.h"
#include "port/stream.h"

enum { WAITING_MAX_BYTES = 64 * 1024 };

static void flush(void *arg)
{
	struct redis_out *out = arg;

	if (out->waiting.len > 0)
		stream_write(out->stream, buf_str(&out->waiting));
	buf_clear(&out->waiting);
}

struct err redis_out_open(struct loop *loop, struct redis_out *out)
{
	out->waiting = BUF(WAITING_MAX_BYTES);
	return loop_timer_new(loop, flush, out, &out->end_of_turn);
}

void redis_out_close(struct redis_out *out)
{
	loop_timer_free(out->end_of_turn);
	out->end_of_turn = NULL;
	buf_done(&out->waiting);
}

void redis_out_add(struct redis_out *out, struct stream *stream, struct redis_entry *entry)
{
	bool first = out->waiting.len == 0;
	void *room = buf_extend(&out->waiting, entry->wire_len);

	out->stream = stream;
	if (room == NULL) { /* full, larger than all that may wait, or no memory */
		flush(out);
		stream_write_take(stream, entry->wire, entry->wire_len);
	} else {
		memcpy(room, entry->wire, entry->wire_len);
		free(entry->wire);
		if (first) /* due at once: when this turn has come to its end */
			loop_timer_start(out->end_of_turn, 0, 0);
	}
	entry->wire = NULL;
}

void redis_out_drop(struct redis_out *out)
{
	buf_clear(&out->waiting);
}
