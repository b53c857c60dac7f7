// Package chaos breaks clusters while they work. A coordinator and workers, as
// processes, answer queries whose answers are known, from several clients
// without a pause, while faults strike: processes are killed, stopped and woken
// up, shut down and started again under their old names; links between two
// nodes are cut, reset, slowed down or half closed; the object store fails,
// stalls and cuts its answers off; a disk fills up; a query takes all memory.
//
// What must hold: every query gets the right answer, or an error that the fault
// allows (Fault.Allow); none takes longer than Bound; and once a fault is over
// all workers are active again and no node holds anything but what it held
// before (cluster.Grown).
//
// Which fault strikes whom, when and for how long is drawn from a seed, which is
// printed. The short form is a test as any other. The long one is asked for by
// the environment:
//
//	CHAOS=10m          how long
//	CHAOS_SEED=7       what is drawn; else the time
//	CHAOS_FAULTS=kill  only these, separated by commas
//	CHAOS_KEEP=1       the logs stay
//	CHAOS_LARGE=1      only large results, which are not excused when the worker
//	                   that delivers them is lost
package chaos
