#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every socket call in every state, and every option, with TCP as the contrast.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module
suites() {
	suite smbdr_api "$1"
	suite smbdr_option "$1"
}
on_every_transport suites

# Nobody has opted in: a program is told that there is no such protocol.
userspace_socket() {
	python3 - "$1" <<-'PYTHON'
		import errno, socket, sys
		family = getattr(socket, sys.argv[1])
		try:
		    socket.socket(family, socket.SOCK_STREAM, 257)
		except OSError as e:
		    sys.exit(0 if e.errno == errno.EPROTONOSUPPORT else str(e))
		sys.exit("it got a socket")
	PYTHON
}
check 'userspace gets EPROTONOSUPPORT, v4' userspace_socket AF_INET
check 'userspace gets EPROTONOSUPPORT, v6' userspace_socket AF_INET6
ktap_plan
