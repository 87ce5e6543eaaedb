# SPDX-License-Identifier: Apache-2.0
"""From a bench and a plan to a latency certificate that a stranger can check."""
