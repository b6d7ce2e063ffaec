/*
 * What a service does when a tenant is being erased.
 */
#ifndef ESTEIRA_FRAME_ERASE_H
#define ESTEIRA_FRAME_ERASE_H

#include <stdbool.h>

struct erase_plan {
	bool outlives; /* its records are those of the trail: handled whatever became of the tenant
			*/
};

#endif
