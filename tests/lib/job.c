// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jobs: a line that is written to a file in debugfs starts one. The write
 * returns when it is done, with its error; what it has to say is in the file
 * "report" beside it. One job at a time.
 *
 * A job with the mark "beside" does not wait for others. Several can run at once.
 * Its report is read from the open file that the line was written to.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "lib.h"

/* What the last job had to say. */
struct st_report {
	struct mutex lock;	/* one job at a time */
	struct seq_buf buf;
	char text[4096];
};

static struct dentry *st_dir;
static struct st_report st_shared;

static void st_report_init(struct st_report *r)
{
	mutex_init(&r->lock);
	seq_buf_init(&r->buf, r->text, sizeof(r->text));
}

static int st_job_open(struct inode *inode, struct file *f)
{
	const struct st_job *job = inode->i_private;
	struct st_report *r = &st_shared;

	if (job && job->beside) {
		r = kzalloc(sizeof(*r), GFP_KERNEL);
		if (!r)
			return -ENOMEM;
		st_report_init(r);
	}
	f->private_data = r;
	return 0;
}

static int st_job_release(struct inode *inode, struct file *f)
{
	if (f->private_data != &st_shared)
		kfree(f->private_data);
	return 0;
}

static ssize_t st_job_read(struct file *f, char __user *ubuf, size_t n, loff_t *pos)
{
	struct st_report *r = f->private_data;
	ssize_t ret;

	mutex_lock(&r->lock);
	ret = simple_read_from_buffer(ubuf, n, pos, r->text, seq_buf_used(&r->buf));
	mutex_unlock(&r->lock);
	return ret;
}

static ssize_t st_job_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	const struct st_job *job = file_inode(f)->i_private;
	struct st_report *r = f->private_data;
	char line[192];
	int ret;

	if (!job || n >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, n))
		return -EFAULT;
	line[n] = 0;
	mutex_lock(&r->lock);
	seq_buf_clear(&r->buf);
	ret = st_stuck() ? -EBUSY : job->run(strim(line), &r->buf);
	if (ret)
		seq_buf_printf(&r->buf, "error %d\n", ret);
	mutex_unlock(&r->lock);
	return ret ?: n;
}

static const struct file_operations st_job_fops = {
	.owner = THIS_MODULE,
	.open = st_job_open,
	.release = st_job_release,
	.read = st_job_read,
	.write = st_job_write,
};

void st_jobs_open(const char *dir, const struct st_job *jobs, unsigned int nr)
{
	st_report_init(&st_shared);
	st_dir = debugfs_create_dir(dir, NULL);
	debugfs_create_file("report", 0400, st_dir, NULL, &st_job_fops);
	while (nr--)
		debugfs_create_file(jobs[nr].name, 0600, st_dir, (void *)&jobs[nr],
				    &st_job_fops);
}

void st_jobs_close(void)
{
	debugfs_remove(st_dir);
}
