"""A broker asked for one thing at a time, in its own protocol: who may do what shows in the error code.

Nothing that Asker.may asks changes anything, allowed or not: what is produced is no record, partitions
are only validated, records are deleted up to the first, members that are heard do not exist.
"""
import socket
import struct

TOPIC_DENIED, GROUP_DENIED = 29, 30
GROWN = 10000  # more partitions than a topic has


def text(value):
    """A string."""
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def _produce(topic):
    # one batch of magic 2 that is too short for its header: refused, but after the right to write it
    batch = struct.pack(">qiib", 0, 49, 0, 2) + bytes(44)
    return (0, 3, struct.pack(">hhii", -1, 1, 5000, 1) + text(topic) + struct.pack(">iii", 1, 0, len(batch)) + batch,
            lambda a: struct.unpack_from(">h", a, 4 + 2 + len(topic) + 4 + 4)[0])


def _fetch(topic):
    body = struct.pack(">iiiibi", -1, 0, 0, 1 << 16, 0, 1) + text(topic) + struct.pack(">iiqi", 1, 0, 0, 1 << 16)
    return 1, 4, body, lambda a: struct.unpack_from(">h", a, 4 + 4 + 2 + len(topic) + 4 + 4)[0]


def _metadata(topic):
    def code(answer):
        at = 4
        for _ in range(struct.unpack_from(">i", answer, 0)[0]):
            size = struct.unpack_from(">ih", answer, at)[1]
            rack = struct.unpack_from(">h", answer, at + 10 + size)[0]
            at += 12 + size + max(rack, 0)
        return struct.unpack_from(">h", answer, at + 4 + 4)[0]  # after the controller and the count
    return 3, 1, struct.pack(">i", 1) + text(topic), code


def _delete_records(topic):
    body = struct.pack(">i", 1) + text(topic) + struct.pack(">iiqi", 1, 0, 0, 5000)
    return 21, 0, body, lambda a: struct.unpack_from(">h", a, 4 + 4 + 2 + len(topic) + 4 + 4 + 8)[0]


def _create_partitions(topic):
    body = struct.pack(">i", 1) + text(topic) + struct.pack(">iiib", GROWN, -1, 5000, 1)
    return 37, 0, body, lambda a: struct.unpack_from(">h", a, 4 + 4 + 2 + len(topic))[0]


def _heartbeat(group):
    return 12, 0, text(group) + struct.pack(">i", 1) + text("nobody"), lambda a: struct.unpack_from(">h", a, 0)[0]


def _describe_group(group):
    return 15, 0, struct.pack(">i", 1) + text(group), lambda a: struct.unpack_from(">h", a, 4)[0]


def _delete_group(group):
    return 42, 0, struct.pack(">i", 1) + text(group), lambda a: struct.unpack_from(">h", a, 4 + 4 + 2 + len(group))[0]


ALLOW, LITERAL, TOPIC, READ = 3, 3, 2, 3  # in the numbers of the protocol


def create_acl(principal, topic):
    """The request that lets a principal read a topic."""
    body = (struct.pack(">ib", 1, TOPIC) + text(topic) + struct.pack(">b", LITERAL) + text(f"User:{principal}")
            + text("*") + struct.pack(">bb", READ, ALLOW))
    return 30, 1, body, lambda a: struct.unpack_from(">h", a, 8)[0]


def delete_acls(principal, topic):
    """The request that takes all that a principal may do with a topic."""
    body = (struct.pack(">ib", 1, TOPIC) + text(topic) + struct.pack(">b", LITERAL) + text(f"User:{principal}")
            + text("*") + struct.pack(">bb", 1, ALLOW))
    return 31, 1, body, lambda a: struct.unpack_from(">h", a, 8)[0]


# How each operation is asked about: (api key, version, body, where the error code is).
TOPIC_OPERATIONS = {"READ": _fetch, "WRITE": _produce, "DESCRIBE": _metadata, "DELETE": _delete_records,
                    "ALTER": _create_partitions}
GROUP_OPERATIONS = {"READ": _heartbeat, "DESCRIBE": _describe_group, "DELETE": _delete_group}


class Asker:
    """One connection to a broker under one principal's certificate."""

    def __init__(self, port, context):
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10),
                                        server_hostname="127.0.0.1")
        self.sock.settimeout(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            assert part, "the broker hung up"
            data += part
        return data

    def ask(self, request):
        """The error code of the answer."""
        key, version, body, code = request
        head = struct.pack(">hhih", key, version, 7, -1)
        self.sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        answer = self._exactly(struct.unpack(">i", self._exactly(4))[0])
        assert struct.unpack_from(">i", answer, 0)[0] == 7
        return code(answer[4:])

    def may(self, resource, name, operation):
        """Whether the broker lets this principal do that."""
        if resource == "TOPIC":
            return self.ask(TOPIC_OPERATIONS[operation](name)) != TOPIC_DENIED
        return self.ask(GROUP_OPERATIONS[operation](name)) != GROUP_DENIED
