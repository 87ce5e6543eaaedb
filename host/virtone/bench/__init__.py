# SPDX-License-Identifier: Apache-2.0
"""The bench: instruments, console and board, physical or virtual; nothing here can tell which."""
