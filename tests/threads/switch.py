import sys, threading
sys.setswitchinterval(1e-6)
n, lock = [0], threading.Lock()
def work():
    for k in range(2000):
        with lock:
            n[0] += 1
        for j in range(20):
            pass
    for k in range(4):
        with lock:
            n[0] += 1
        for j in range(500000):
            pass
threads = [threading.Thread(target=work) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print("sum", n[0])
