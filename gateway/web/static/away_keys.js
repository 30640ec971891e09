// What this browser keeps of its enrolment, in IndexedDB: its keys (which cannot be read out), whose box it is, and the
// orders whose way is not over yet. Nothing of the house's state is kept: what is old is not worth showing.
const NAME = "perron-away";

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => { asked.result.createObjectStore("me"); asked.result.createObjectStore("orders", { keyPath: "number" }); };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

// One transaction: `work` gets the store and puts its result into `done`; durable when this has resolved.
async function within(store, mode, work) {
  const base = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const all = base.transaction(store, mode, { durability: "strict" });
      const done = {};
      work(all.objectStore(store), done);
      all.oncomplete = () => resolve(done.is);
      all.onabort = () => reject(all.error);
    });
  } finally {
    base.close();
  }
}

const gets = (request, done, of = (value) => value) => { request.onsuccess = () => { done.is = of(request.result); }; };

// The enrolment, or undefined: never made here, ended, or the browser has thrown its storage away.
export const enrolled = () => within("me", "readonly", (store, done) => gets(store.get("enrolment"), done));

// A new enrolment takes the place of the one before, and of its orders.
export async function keep(enrolment) {
  await within("orders", "readwrite", (store) => store.clear());
  await within("me", "readwrite", (store) => store.put({ ...enrolment, number: 0 }, "enrolment"));
}

export async function forget() {
  await within("orders", "readwrite", (store) => store.clear());
  await within("me", "readwrite", (store) => store.clear());
}

// The next order's number, of all tabs of this browser: each is given once, and above those that the box has taken.
export const nextNumber = (taken) => within("me", "readwrite", (store, done) => {
  const asked = store.get("enrolment");
  asked.onsuccess = () => {
    if (asked.result === undefined) return;
    done.is = Math.max(asked.result.number, taken) + 1;
    store.put({ ...asked.result, number: done.is }, "enrolment");
  };
});

export const orders = () => within("orders", "readonly", (store, done) => gets(store.getAll(), done));
export const keepOrder = (order) => within("orders", "readwrite", (store) => store.put(order));
export const dropOrder = (number) => within("orders", "readwrite", (store) => store.delete(number));
