"""What the texts of the scheduler, the kubelet, the runtimes and the controllers mean. Pure
functions over one message; objects and time stand elsewhere.

The formats are those of Kubernetes 1.20 to 1.35 (kube-scheduler FitError, kubelet events,
containerd and CRI-O errors, admission).
"""
