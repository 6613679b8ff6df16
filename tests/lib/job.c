// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jobs: a line that is written to a file in debugfs starts one. The write
 * returns when it is done, with its error; what it has to say is in the file
 * "report" beside it. One job at a time.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/uaccess.h>
#include "lib.h"

static struct dentry *st_dir;
static DEFINE_MUTEX(st_job_lock);	/* one job at a time, and its report */
static char st_report_text[4096];
static struct seq_buf st_report;

static ssize_t st_report_read(struct file *f, char __user *ubuf, size_t n, loff_t *pos)
{
	ssize_t ret;

	mutex_lock(&st_job_lock);
	ret = simple_read_from_buffer(ubuf, n, pos, st_report_text, seq_buf_used(&st_report));
	mutex_unlock(&st_job_lock);
	return ret;
}

static const struct file_operations st_report_fops = {
	.owner = THIS_MODULE,
	.read = st_report_read,
};

static ssize_t st_job_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	const struct st_job *job = f->private_data;
	char line[192];
	int ret;

	if (n >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, n))
		return -EFAULT;
	line[n] = 0;
	mutex_lock(&st_job_lock);
	seq_buf_clear(&st_report);
	ret = st_stuck() ? -EBUSY : job->run(strim(line), &st_report);
	if (ret)
		seq_buf_printf(&st_report, "error %d\n", ret);
	mutex_unlock(&st_job_lock);
	return ret ?: n;
}

static const struct file_operations st_job_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = st_job_write,
};

void st_jobs_open(const char *dir, const struct st_job *jobs, unsigned int nr)
{
	seq_buf_init(&st_report, st_report_text, sizeof(st_report_text));
	st_dir = debugfs_create_dir(dir, NULL);
	debugfs_create_file("report", 0400, st_dir, NULL, &st_report_fops);
	while (nr--)
		debugfs_create_file(jobs[nr].name, 0200, st_dir, (void *)&jobs[nr],
				    &st_job_fops);
}

void st_jobs_close(void)
{
	debugfs_remove(st_dir);
}
