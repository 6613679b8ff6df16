// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The n-th call fails: control of the fault points. Only in test builds.
 *
 * A test arms the points, does something, and disarms them. In between all calls that
 * come by a point are counted, and the n-th fails, and if wanted those behind it.
 * A test repeats that for n = 1, 2, ... until nothing failed: then every
 * call of what it does has failed once. Which calls these are need not be known.
 *
 * The counters are for the whole module, so one test at a time. Calls that others make
 * meanwhile are counted as well, and one of them may be the one that fails.
 *
 * Two faces: functions for a test module, and for scripts the module parameter
 * fault_nth (0 disarms; with insmod it also works for the start of the module) and the
 * file net_smbdirect/fault_points in debugfs: each point with its hits
 * and failures while armed, since the module was loaded.
 *
 * A spinlock protects all of it; it is taken inside of any other lock.
 */
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include "fault.h"

/**
 * struct smbdr_fault_state - a point
 * @name: what it is called
 * @err: error of its call, negative
 * @hits: calls while armed
 * @fired: failures
 */
struct smbdr_fault_state {
	const char *name;
	int err;
	u32 hits;
	u32 fired;
};

#define SMBDR_FAULT_POINT(point, errno)	{ .name = #point, .err = -(errno) },
static struct smbdr_fault_state smbdr_faults[] = {
#include "fault_points.h"
};

static DEFINE_SPINLOCK(smbdr_fault_lock);	/* protects all of this */
static struct smbdr_fault_seen smbdr_fault_seen;
static u32 smbdr_fault_nth;
static u32 smbdr_fault_times;
/* the only point that counts, or SMBDR_FAULT_NR for all */
static enum smbdr_fault_point smbdr_fault_only = SMBDR_FAULT_NR;
static struct dentry *smbdr_fault_dir;

/* Count the call. Returns how often this point has failed, this time included, or 0. */
static u32 smbdr_fault_count(enum smbdr_fault_point point)
{
	struct smbdr_fault_state *s = &smbdr_faults[point];
	unsigned long flags;
	u32 fired = 0;

	if (!READ_ONCE(smbdr_fault_nth))
		return 0;
	spin_lock_irqsave(&smbdr_fault_lock, flags);
	if (smbdr_fault_nth && (smbdr_fault_only == SMBDR_FAULT_NR || smbdr_fault_only == point)) {
		s->hits++;
		smbdr_fault_seen.hits++;
		if (smbdr_fault_seen.hits >= smbdr_fault_nth &&
		    smbdr_fault_seen.hits - smbdr_fault_nth < smbdr_fault_times) {
			fired = ++s->fired;
			if (!smbdr_fault_seen.fired++) {
				smbdr_fault_seen.point = s->name;
				smbdr_fault_seen.err = s->err;
			}
		}
	}
	spin_unlock_irqrestore(&smbdr_fault_lock, flags);
	return fired;
}

/**
 * smbdr_fault_hit - a call comes by a point
 * @point: which
 *
 * Context: any.
 *
 * Return: 0, or the error with which the call has to fail.
 */
int smbdr_fault_hit(enum smbdr_fault_point point)
{
	return smbdr_fault_count(point) ? smbdr_faults[point].err : 0;
}

/**
 * smbdr_fault_wc_status - a completion comes by a point
 * @point: which
 * @status: enum ib_wc_status; only a success can be made a failure
 *
 * By turns a flush, which says that the queue pair is in error and nothing else, and
 * an error that ends the connection by itself.
 *
 * Context: any.
 *
 * Return: the status to go on with.
 */
int smbdr_fault_wc_status(enum smbdr_fault_point point, int status)
{
	u32 fired = status == IB_WC_SUCCESS ? smbdr_fault_count(point) : 0;

	if (!fired)
		return status;
	return fired & 1 ? IB_WC_WR_FLUSH_ERR : IB_WC_GENERAL_ERR;
}

/**
 * smbdr_fault_post_half - a chain of work requests comes by a point
 * @point: which
 * @qp: where it is to be posted
 * @first: the chain; one of a single request is none
 *
 * What a device does that has no room for all of it: the first requests are posted, and nothing
 * calls them back, the one behind them is refused.
 *
 * Context: as ib_post_send().
 *
 * Return: 0: nothing was posted; or the error with which posting it has to fail.
 */
int smbdr_fault_post_half(enum smbdr_fault_point point, struct ib_qp *qp,
			  struct ib_send_wr *first)
{
	struct ib_send_wr *wr, *last = first, *rest;
	int ret;

	if (!first->next || !smbdr_fault_count(point))
		return 0;
	/* One step for each second request behind the second. */
	for (wr = first->next->next; wr && wr->next; wr = wr->next->next)
		last = last->next;
	rest = last->next;
	last->next = NULL;
	ret = ib_post_send(qp, first, NULL);
	last->next = rest;
	return ret ?: smbdr_faults[point].err;
}

/**
 * smbdr_fault_arm_at - let calls fail at one point
 * @point: which; SMBDR_FAULT_NR: all
 * @nth: which call that comes by it, counted from now on, beginning with 1; 0: none
 * @times: how many in a row
 *
 * Context: any.
 */
void smbdr_fault_arm_at(enum smbdr_fault_point point, u32 nth, u32 times)
{
	unsigned long flags;

	spin_lock_irqsave(&smbdr_fault_lock, flags);
	memset(&smbdr_fault_seen, 0, sizeof(smbdr_fault_seen));
	WRITE_ONCE(smbdr_fault_nth, nth);
	smbdr_fault_times = times;
	smbdr_fault_only = point;
	spin_unlock_irqrestore(&smbdr_fault_lock, flags);
}
EXPORT_SYMBOL_NS_GPL(smbdr_fault_arm_at, "NET_SMBDIRECT");

/**
 * smbdr_fault_arm - let calls fail
 * @nth: which call, counted from now on and over all points, beginning with 1; 0: none
 * @times: how many in a row
 *
 * Context: any.
 */
void smbdr_fault_arm(u32 nth, u32 times)
{
	smbdr_fault_arm_at(SMBDR_FAULT_NR, nth, times);
}
EXPORT_SYMBOL_NS_GPL(smbdr_fault_arm, "NET_SMBDIRECT");

/**
 * smbdr_fault_armed - is a test at work?
 *
 * What only waits for an event that does not come after a failure that was made up
 * may take less time then.
 *
 * Context: any.
 *
 * Return: true from smbdr_fault_arm() to smbdr_fault_disarm().
 */
bool smbdr_fault_armed(void)
{
	return READ_ONCE(smbdr_fault_nth);
}

/**
 * smbdr_fault_disarm - no more calls fail
 * @seen: filled in: what happened since smbdr_fault_arm()
 *
 * Context: any.
 */
void smbdr_fault_disarm(struct smbdr_fault_seen *seen)
{
	unsigned long flags;

	spin_lock_irqsave(&smbdr_fault_lock, flags);
	*seen = smbdr_fault_seen;
	WRITE_ONCE(smbdr_fault_nth, 0);
	spin_unlock_irqrestore(&smbdr_fault_lock, flags);
}
EXPORT_SYMBOL_NS_GPL(smbdr_fault_disarm, "NET_SMBDIRECT");

static int smbdr_fault_set(const char *val, const struct kernel_param *kp)
{
	u32 nth;
	int ret = kstrtou32(val, 0, &nth);

	if (!ret)
		smbdr_fault_arm(nth, 1);
	return ret;
}

static int smbdr_fault_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(smbdr_fault_nth));
}

static const struct kernel_param_ops smbdr_fault_ops = {
	.set = smbdr_fault_set,
	.get = smbdr_fault_get,
};

module_param_cb(fault_nth, &smbdr_fault_ops, NULL, 0600);
MODULE_PARM_DESC(fault_nth, "let the n-th call that comes by a fault point fail; 0: none");

static int smbdr_fault_show(struct seq_file *m, void *v)
{
	unsigned int i;

	for (i = 0; i < SMBDR_FAULT_NR; i++)
		seq_printf(m, "%-16s%u %u\n", smbdr_faults[i].name,
			   READ_ONCE(smbdr_faults[i].hits), READ_ONCE(smbdr_faults[i].fired));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(smbdr_fault);

/**
 * smbdr_fault_init - make the file in debugfs
 */
void smbdr_fault_init(void)
{
	smbdr_fault_dir = debugfs_create_dir("net_smbdirect", NULL);
	debugfs_create_file("fault_points", 0400, smbdr_fault_dir, NULL, &smbdr_fault_fops);
}

/**
 * smbdr_fault_exit - remove it
 */
void smbdr_fault_exit(void)
{
	debugfs_remove(smbdr_fault_dir);
}
