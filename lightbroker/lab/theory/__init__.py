"""What theory predicts.

queueing usl simulation    queueing models; the Universal Scalability Law and its fit; a simulated queue
partitions prediction      partitions by key, and replicas; measured times in, predicted wait out
"""
