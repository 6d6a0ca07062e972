/* What bindgen reads: the headers, and the few things that no header offers in a form bindgen can carry over. */

#include <stddef.h>
#include <stdio.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_eth_ring.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_telemetry.h>
#include <rte_version.h>

/* From 24.11 on these fields are members of anonymous unions, whose names bindgen invents: offsets do not change. */
enum mbuf_offset {
	MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt),
	MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags),
	MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
};

/* Flags too wide for the enumeration above, and macros that are expressions of casts. */
static const uint64_t MBUF_INDIRECT = RTE_MBUF_F_INDIRECT;
static const uint64_t MBUF_EXTERNAL = RTE_MBUF_F_EXTERNAL;

/* From 24.11 on the link's fields are in an anonymous union. */
static inline int
dpdk_link_is_up(uint16_t port)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

/* rte_errno is thread-local: Rust cannot take its address. */
static inline int
dpdk_errno(void)
{
	return rte_errno;
}

/* Renamed in 23.03. */
static inline int
dpdk_tel_add_dict_number(struct rte_tel_data *data, const char *name, uint64_t number)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	return rte_tel_data_add_dict_uint(data, name, number);
#else
	return rte_tel_data_add_dict_u64(data, name, number);
#endif
}
