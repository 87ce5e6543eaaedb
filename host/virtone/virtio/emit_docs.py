# SPDX-License-Identifier: Apache-2.0
def pages(device): return {}
