public class Busy {
	static long sum;
	static final Object lock = new Object();
	static volatile boolean flag;

	static long work(long n, int id) {
		long h = id;
		for (long i = 0; i < n; i++)
			h = (h ^ i) * 0x100000001b3L;
		return h;
	}

	public static void main(String[] args) throws Exception {
		Thread[] t = new Thread[4];
		for (int i = 0; i < 4; i++) {
			final int id = i;
			t[i] = new Thread(() -> {
				for (int k = 0; k < 50; k++) {
					long v = work(200000, id);
					synchronized (lock) {
						sum += v;
					}
				}
				while (!flag)
					Thread.onSpinWait();
			});
			t[i].start();
		}
		Thread.sleep(50);
		flag = true;
		for (Thread x : t)
			x.join();
		System.out.println(sum);
	}
}
