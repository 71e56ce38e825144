/** Examines the machine that it is run on and prints the report; for a private host, where no test can be at home. */
import { examine, renderReport, renderReportJson, thisMachine } from "../../src/doctor/doctor.ts";

const report = examine(thisMachine(), { conf: undefined });
process.stdout.write(process.argv[2] === "--json" ? renderReportJson(report) : renderReport(report));
