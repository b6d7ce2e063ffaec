#include "keeper.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "port/loop.h"

struct keeper {
	struct loop *loop;
	struct master *master;
	pthread_t thread;
	sem_t turning;
	bool runs;
};

static void on_turning(void *arg)
{
	sem_post(arg);
}

/* The loop's thread from now on, so what lives on the loop ends here. */
static void *turn(void *arg)
{
	struct keeper *keeper = arg;

	loop_run(keeper->loop);
	master_close(keeper->master);
	loop_close(keeper->loop);
	return NULL;
}

static struct err start(struct keeper *keeper, const struct master_conf *conf)
{
	TRY(loop_open(&keeper->loop));
	TRY(master_open(keeper->loop, conf, &keeper->master));
	if (pthread_create(&keeper->thread, NULL, turn, keeper) != 0)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no thread for the key service");
	keeper->runs = true;
	/* until it turns, its thread is still this one, which must not wait for it */
	if (loop_post(keeper->loop, on_turning, &keeper->turning))
		while (sem_wait(&keeper->turning) != 0)
			;
	return master_check(keeper->master);
}

struct err keeper_open(const struct master_conf *conf, struct keeper **ret_keeper)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);

	if (keeper == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the master key");
	sem_init(&keeper->turning, 0, 0);
	struct err e = start(keeper, conf);
	if (e.kind != ERR_OK)
		keeper_drop(&keeper);
	else
		*ret_keeper = keeper;
	return e;
}

void keeper_drop(struct keeper **keeper)
{
	struct keeper *gone = *keeper;

	if (gone == NULL)
		return;
	if (gone->runs) {
		loop_stop(gone->loop);
		pthread_join(gone->thread, NULL);
	} else {
		master_close(gone->master);
		loop_close(gone->loop);
	}
	sem_destroy(&gone->turning);
	free(gone);
	*keeper = NULL;
}

struct master *keeper_master(const struct keeper *keeper)
{
	return keeper->master;
}
