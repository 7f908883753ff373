// The doctor as a program, for tests that run it in a network namespace: takes a set-up as JSON, prints the report as JSON.

import { MessageChannel } from "node:worker_threads";
import { type DoctorSetup, doctorOn } from "./doctor.ts";

const { port1 } = new MessageChannel();
port1.ref(); // some steps wait for nothing but time
const report = await doctorOn(JSON.parse(process.argv[2]!) as DoctorSetup);
port1.close();
process.stdout.write(JSON.stringify(report));
