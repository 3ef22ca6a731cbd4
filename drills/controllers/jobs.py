"""The controllers of CronJobs and Jobs: a Job for each due time of a schedule, a pod for each
Job."""

from __future__ import annotations

import copy

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, controlled_by, rfc3339
from drills.controllers.context import CONTROLLER, ControllerContext
from drills.controllers.events import created_pod
from drills.controllers.new_objects import job_spec, new_object, new_pod
from drills.controllers.workloads import PodRunner


class Jobs:
    """Starts Jobs; `status_sync` writes their outcome."""

    def __init__(self, context: ControllerContext, kubelets: PodRunner) -> None:
        self._context, self._kubelets = context, kubelets

    async def start_run(self, cron: Obj) -> None:
        """Create the Job of a CronJob that is due, with its pod."""
        meta, now = cron["metadata"], self._context.now()
        template = cron["spec"]["jobTemplate"]
        job = new_object(
            "Job",
            f"{meta['name']}-{int(now.timestamp()) // 60}",
            meta["namespace"],
            now,
            {
                "generation": 1,
                "labels": dict(template["metadata"].get("labels") or {}),
                "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(now)},
                "ownerReferences": controlled_by(cron),
            },
            spec=job_spec(copy.deepcopy(template["spec"])),
            status={},
        )
        job = self._context.create(job, FieldManager(CONTROLLER, now, ("spec", "metadata")))
        text = f"Created job {job['metadata']['name']}"
        self._context.record(cron, "SuccessfulCreate", text)
        await self.start(job)

    async def start(self, job: Obj) -> None:
        """Create the pod of a Job, and name the Job in its labels and selector."""
        context, meta, namespace = self._context, job["metadata"], job["metadata"]["namespace"]
        words = {"job-name": meta["name"], "controller-uid": meta["uid"]}
        labels = {
            f"{prefix}{k}": v for k, v in words.items() for prefix in ("batch.kubernetes.io/", "")
        }

        def select_own_pods(obj: Obj) -> None:
            key = "batch.kubernetes.io/controller-uid"
            obj["spec"]["selector"] = {"matchLabels": {key: meta["uid"]}}
            template = obj["spec"]["template"]["metadata"]
            template["labels"] = {**(template.get("labels") or {}), **labels}

        changed = context.update(job, select_own_pods)
        if changed is None:
            return
        name, now = (
            f"{meta['name']}-{context.suffix('job', namespace, meta['name'])}",
            context.now(),
        )
        node, template = context.pinned(changed, 0), changed["spec"]["template"]
        pod = new_pod(namespace, name, template, now, node=node, owner=changed)
        pod = context.create(pod, FieldManager(CONTROLLER, now, ("metadata", "spec")))
        context.record(changed, "SuccessfulCreate", created_pod(changed, name))
        context.spawn(self._run(changed, pod))

    async def _run(self, job: Obj, pod: Obj) -> None:
        """Follow the pod to its end, which ends the Job."""
        await self._kubelets.run(pod)
        meta = pod["metadata"]
        ended = self._context.lookup("Pod", meta["namespace"], meta["name"])
        if ended is None or ended["status"]["phase"] != "Succeeded":
            return
        self._context.record(job, "Completed", "Job completed")
        if ref := next(iter(job["metadata"].get("ownerReferences", [])), None):
            cron = self._context.lookup(ref["kind"], meta["namespace"], ref["name"])
            if cron is not None:
                text = f"Saw completed job: {job['metadata']['name']}, condition: Complete"
                self._context.record(cron, "SawCompletedJob", text)
