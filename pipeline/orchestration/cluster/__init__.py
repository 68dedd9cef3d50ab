"""Run the stages of one `dvc repro` on several machines.

`driver` divides the stages between this machine and the cluster, and merges what comes back. `engine` is Ray: it only
calls `node.run_in_workspace` on some machine, and any other engine could do so. `node` makes a workspace there and
starts `child`, which runs the stage in it (`pipeline.orchestration.stage`) and keeps its `progress` in the DVC remote.
`dvc_queue` does all this for each experiment of DVC's queue.
"""
