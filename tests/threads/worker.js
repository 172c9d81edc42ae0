const {Worker, isMainThread, workerData} = require('worker_threads');
if (isMainThread) {
	const sab = new SharedArrayBuffer(8), a = new Int32Array(sab);
	let done = 0;
	for (let i = 0; i < 3; i++)
		new Worker(__filename, {workerData: sab}).on('exit', () => {
			if (++done == 3) console.log('sum', a[0]);
		});
} else {
	const a = new Int32Array(workerData);
	let h = 0;
	for (let k = 0; k < 50000; k++) {
		Atomics.add(a, 0, 1);
		h = (h * 31 + k) | 0;
	}
	while (Atomics.load(a, 0) < 150000);
}
