#include "port/kafka_admin_acl.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_admin_state.h"
#include "port/kafka_settings.h"

enum { TIMEOUT_MS = 10000, WHY_BYTES = 256 };

static void drop_event(rd_kafka_event_t **event)
{
	if (*event != NULL)
		rd_kafka_event_destroy(*event);
}

static void drop_options(rd_kafka_AdminOptions_t **options)
{
	rd_kafka_AdminOptions_destroy(*options);
}

static void drop_binding(rd_kafka_AclBinding_t **binding)
{
	if (*binding != NULL)
		rd_kafka_AclBinding_destroy(*binding);
}

static rd_kafka_AdminOptions_t *options_of(struct kafka_admin *admin, rd_kafka_admin_op_t op)
{
	char why[WHY_BYTES];
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->handle, op);

	rd_kafka_AdminOptions_set_request_timeout(options, TIMEOUT_MS, why, sizeof why);
	return options;
}

static rd_kafka_event_t *await(struct kafka_admin *admin)
{
	return rd_kafka_queue_poll(admin->queue, TIMEOUT_MS + KAFKA_ADMIN_GRACE_MS);
}

static rd_kafka_resp_err_t code_of(rd_kafka_event_t *event)
{
	return event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
}

/* --- words --- */

static const char *permission_name(rd_kafka_AclPermissionType_t type)
{
	return type == RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW ? "ALLOW" : "DENY";
}

static struct err copy_one(
	const rd_kafka_AclBinding_t *from, struct arena *arena, struct kafka_acl *ret_acl)
{
	*ret_acl = (struct kafka_acl){
		.principal = arena_strdup(arena, str_of(rd_kafka_AclBinding_principal(from))),
		.resource = rd_kafka_ResourceType_name(rd_kafka_AclBinding_restype(from)),
		.pattern = rd_kafka_ResourcePatternType_name(
			rd_kafka_AclBinding_resource_pattern_type(from)),
		.name = arena_strdup(arena, str_of(rd_kafka_AclBinding_name(from))),
		.operation = rd_kafka_AclOperation_name(rd_kafka_AclBinding_operation(from)),
		.permission = permission_name(rd_kafka_AclBinding_permission_type(from)),
		.host = arena_strdup(arena, str_of(rd_kafka_AclBinding_host(from))),
	};
	return ret_acl->principal == NULL || ret_acl->name == NULL || ret_acl->host == NULL
		       ? arena_overflow()
		       : err_ok();
}

static rd_kafka_ResourceType_t resource_of(const char *word)
{
	int type = RD_KAFKA_RESOURCE__CNT - 1;

	while (type > 0 &&
		strcmp(rd_kafka_ResourceType_name((rd_kafka_ResourceType_t)type), word) != 0)
		type--;
	return (rd_kafka_ResourceType_t)type;
}

static rd_kafka_AclOperation_t operation_of(const char *word)
{
	int type = RD_KAFKA_ACL_OPERATION__CNT - 1;

	while (type > 0 &&
		strcmp(rd_kafka_AclOperation_name((rd_kafka_AclOperation_t)type), word) != 0)
		type--;
	return (rd_kafka_AclOperation_t)type;
}

static rd_kafka_ResourcePatternType_t pattern_of(const char *word)
{
	return strcmp(word, "PREFIXED") == 0 ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED
					     : RD_KAFKA_RESOURCE_PATTERN_LITERAL;
}

static rd_kafka_AclPermissionType_t permission_of(const char *word)
{
	return strcmp(word, "ALLOW") == 0 ? RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW
					  : RD_KAFKA_ACL_PERMISSION_TYPE_DENY;
}

/* --- changing --- */

static const struct err refused = { ERR_FATAL, ERR_CODE_BAD_CONFIG, "such an ACL is refused" };

struct err kafka_admin_acl_add(struct kafka_admin *admin, const struct kafka_acl *acl)
{
	char why[WHY_BYTES];
	rd_kafka_event_t *event SCOPED(drop_event) = NULL;
	rd_kafka_AdminOptions_t *options SCOPED(drop_options) =
		options_of(admin, RD_KAFKA_ADMIN_OP_CREATEACLS);
	rd_kafka_AclBinding_t *binding SCOPED(drop_binding) = rd_kafka_AclBinding_new(
		resource_of(acl->resource), acl->name, pattern_of(acl->pattern), acl->principal,
		acl->host, operation_of(acl->operation), permission_of(acl->permission), why,
		sizeof why);
	size_t count = 0;

	if (binding == NULL)
		return refused;
	rd_kafka_CreateAcls(admin->handle, &binding, 1, options, admin->queue);
	event = await(admin);
	TRY(kafka_settings_err(code_of(event)));
	const rd_kafka_acl_result_t **results =
		rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
	const rd_kafka_error_t *error = count == 1 ? rd_kafka_acl_result_error(results[0]) : NULL;
	return error == NULL ? err_ok() : kafka_settings_err(rd_kafka_error_code(error));
}

/* *ret_code: what the broker says of it. */
static struct err delete_one(
	struct kafka_admin *admin, const struct kafka_acl *acl, rd_kafka_resp_err_t *ret_code)
{
	char why[WHY_BYTES];
	rd_kafka_event_t *event SCOPED(drop_event) = NULL;
	rd_kafka_AdminOptions_t *options SCOPED(drop_options) =
		options_of(admin, RD_KAFKA_ADMIN_OP_DELETEACLS);
	rd_kafka_AclBinding_t *filter SCOPED(drop_binding) = rd_kafka_AclBindingFilter_new(
		resource_of(acl->resource), acl->name, pattern_of(acl->pattern), acl->principal,
		acl->host, operation_of(acl->operation), permission_of(acl->permission), why,
		sizeof why);
	size_t count = 0;

	if (filter == NULL)
		return refused;
	rd_kafka_DeleteAcls(admin->handle, &filter, 1, options, admin->queue);
	event = await(admin);
	TRY(kafka_settings_err(code_of(event)));
	const rd_kafka_DeleteAcls_result_response_t **answers =
		rd_kafka_DeleteAcls_result_responses(
			rd_kafka_event_DeleteAcls_result(event), &count);
	const rd_kafka_error_t *error =
		count == 1 ? rd_kafka_DeleteAcls_result_response_error(answers[0]) : NULL;
	*ret_code = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
	return err_ok();
}

struct err kafka_admin_acl_remove(struct kafka_admin *admin, const struct kafka_acl *acl)
{
	rd_kafka_resp_err_t code;

	TRY(delete_one(admin, acl, &code));
	return kafka_settings_err(code);
}

/* --- asking --- */

/* The library (2.0) takes a refusal to list for an empty list; a refusal to delete it tells. */
static struct err ask_whether_enforced(struct kafka_admin *admin, bool *ret_enforced)
{
	static const struct kafka_acl nobodys = { "User:-", "TOPIC", "LITERAL", "-", "READ", "DENY",
		"-" };
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	TRY(delete_one(admin, &nobodys, &code));
	*ret_enforced = code != RD_KAFKA_RESP_ERR_SECURITY_DISABLED;
	return *ret_enforced ? kafka_settings_err(code) : err_ok();
}

static struct err copy_all(const rd_kafka_AclBinding_t **from, size_t count, struct arena *arena,
	struct kafka_acl_list *ret_list)
{
	struct kafka_acl_list list = { arena_alloc(arena, count * sizeof *list.items + 1), 0 };

	if (list.items == NULL)
		return arena_overflow();
	for (; list.count < count; list.count++)
		TRY(copy_one(from[list.count], arena, &list.items[list.count]));
	*ret_list = list;
	return err_ok();
}

struct err kafka_admin_acl_read(struct kafka_admin *admin, struct arena *arena,
	struct kafka_acl_list *ret_list, bool *ret_enforced)
{
	char why[WHY_BYTES];
	rd_kafka_event_t *event SCOPED(drop_event) = NULL;
	rd_kafka_AdminOptions_t *options SCOPED(drop_options) =
		options_of(admin, RD_KAFKA_ADMIN_OP_DESCRIBEACLS);
	rd_kafka_AclBinding_t *all SCOPED(drop_binding) = rd_kafka_AclBindingFilter_new(
		RD_KAFKA_RESOURCE_ANY, NULL, RD_KAFKA_RESOURCE_PATTERN_ANY, NULL, NULL,
		RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, why, sizeof why);
	size_t count = 0;

	TRY(ask_whether_enforced(admin, ret_enforced));
	*ret_list = (struct kafka_acl_list){ NULL, 0 };
	if (!*ret_enforced)
		return err_ok();
	if (all == NULL)
		return err_fatal(ERR_CODE_BAD_CONFIG, "the library refuses to ask for everything");
	rd_kafka_DescribeAcls(admin->handle, all, options, admin->queue);
	event = await(admin);
	TRY(kafka_settings_err(code_of(event)));
	const rd_kafka_AclBinding_t **found = rd_kafka_DescribeAcls_result_acls(
		rd_kafka_event_DescribeAcls_result(event), &count);
	return copy_all(found, count, arena, ret_list);
}

bool kafka_admin_acl_equal(const struct kafka_acl *a, const struct kafka_acl *b)
{
	return strcmp(a->principal, b->principal) == 0 && strcmp(a->resource, b->resource) == 0 &&
	       strcmp(a->pattern, b->pattern) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->operation, b->operation) == 0 &&
	       strcmp(a->permission, b->permission) == 0 && strcmp(a->host, b->host) == 0;
}
