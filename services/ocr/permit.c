#include "permit.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

int permit_open(unsigned count)
{
	return eventfd(count, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
}

bool permit_try(int permit_fd)
{
	eventfd_t one;

	return eventfd_read(permit_fd, &one) == 0;
}

bool permit_take(int permit_fd, int64_t until_ms)
{
	while (!permit_try(permit_fd)) {
		int64_t left_ms = until_ms - clock_mono_ms();
		if (left_ms <= 0)
			return false;
		struct pollfd wait = { permit_fd, POLLIN, 0 };
		poll(&wait, 1, left_ms > 60000 ? 60000 : (int)left_ms);
	}
	return true;
}

void permit_give(int permit_fd)
{
	eventfd_write(permit_fd, 1);
}
