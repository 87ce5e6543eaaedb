// SPDX-License-Identifier: Apache-2.0
//
// main - bench_top under cocotb, with native clocks.
//
// Promise: the VPI regions of a time step (IEEE 1800-2017, 4.4 and 36; the order of cocotb's own Verilator main) are gone
// through only in time steps in which Python can have something to do: a timed callback is due, a signal that it may
// await has changed, or it asked for the next step. All other steps cost what a plain Verilated program costs. The
// interpreter lock is free while the simulation runs, so Python threads can wait for sockets.
// Files are handed to Python in the environment: BENCH_PAGE, BENCH_MEMORY, BENCH_CAPTURE. BENCH_RECORD=<file> writes
// the stimulus for raw_main.

#include <dlfcn.h>

#include "recording.h"
#include "simulation.h"
#include "verilated_vpi.h"

#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

bench::Simulation* bench::Simulation::instance = nullptr;

extern "C" void vlog_startup_routines_bootstrap(void);

// Time for $time and the VPI, in units of the time precision (1 ps).
double sc_time_stamp() { return bench::Simulation::time_stamp(); }

namespace {

constexpr int kHoldSleepNs = 100000;

// Value-change callbacks may change values, which may call for more.
void value_callbacks() {
    while (VerilatedVpi::callValueCbs()) {
    }
}

void end_of_simulation() {
    static bool done = false;
    if (done) return;
    done = true;
    VerilatedVpi::callCbs(cbEndOfSimulation);
}

// Release Python's lock, which this thread holds since the interpreter was started; cocotb's callbacks take it when they
// run, and its end-of-simulation callback takes it for good.
void release_interpreter() {
    using Save = void* (*)();
    if (auto* save = reinterpret_cast<Save>(dlsym(RTLD_DEFAULT, "PyEval_SaveThread"))) save();
}

class Runner {
public:
    explicit Runner(bench::Simulation& sim) : sim_(sim), recorder_(sim) {}

    void run() {
        sim_.publish();
        VerilatedVpi::callCbs(cbStartOfSimulation);
        value_callbacks();
        release_interpreter();
        python_step();
        while (!Verilated::gotFinish()) step();
    }
    void dump_waves_to(const char* path) {
#if VM_TRACE
        trace_.reset(new VerilatedVcdC);
        sim_.top->trace(trace_.get(), 99);
        trace_->open(path);
#else
        (void)path;
#endif
    }
    void close() {
        recorder_.close();
#if VM_TRACE
        if (trace_) trace_->close();
#endif
    }

private:
    void step() {
        const uint64_t deadline = deadline_;
        bool python = false;
        if (deadline <= sim_.next_edge_ps()) {
            // Beginning of a time step that Python asked for; its clock edges follow in the same step.
            sim_.advance(deadline);
            sim_.publish();
            VerilatedVpi::callCbs(cbNextSimTime);
            value_callbacks();
            VerilatedVpi::callTimedCbs();
            value_callbacks();
            python = true;
        }
        python |= sim_.step(deadline);
        if (sim_.page->doorbell != doorbell_) {
            doorbell_ = sim_.page->doorbell;
            sim_.top->doorbell_i = !sim_.top->doorbell_i;
            python = true;
        }
        if (python || next_step_wanted_) python_step();
#if VM_TRACE
        if (trace_) trace_->dump(sim_.now_ps());
#endif
        if (hold_) hold();
    }

    // The value-change, read-write and read-only regions of the present time step.
    void python_step() {
        sim_.page->vpi_steps++;
        sim_.publish();
        if (next_step_wanted_) VerilatedVpi::callCbs(cbNextSimTime);
        do {
            do {
                VerilatedVpi::clearEvalNeeded();
                VerilatedVpi::doInertialPuts();
                value_callbacks();
                if (sim_.take_inputs() || VerilatedVpi::evalNeeded()) sim_.settle();
            } while (VerilatedVpi::evalNeeded());
            VerilatedVpi::callCbs(cbReadWriteSynch);
            VerilatedVpi::doInertialPuts();
            value_callbacks();
            if (sim_.take_inputs()) sim_.settle();
        } while (VerilatedVpi::evalNeeded());
        VerilatedVpi::callCbs(cbReadOnlySynch);
        recorder_.python_ran();
        deadline_ = VerilatedVpi::cbNextDeadline();
        next_step_wanted_ = VerilatedVpi::hasCbs(cbNextSimTime);
        hold_ = sim_.page->hold != 0;
    }

    // Simulated time stands still while Python asked for it, nobody rings and no reader wants more.
    void hold() {
        while (sim_.page->hold && sim_.capture.want_ps() <= sim_.now_ps() &&
               __atomic_load_n(&sim_.page->doorbell, __ATOMIC_ACQUIRE) == doorbell_ && !Verilated::gotFinish()) {
            sim_.publish();
            const timespec pause = {0, kHoldSleepNs};
            nanosleep(&pause, nullptr);
        }
    }

    bench::Simulation& sim_;
    bench::Recorder recorder_;
    uint64_t deadline_ = bench::kNever, doorbell_ = 0;
    bool next_step_wanted_ = false, hold_ = false;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace_;
#endif
};

}  // namespace

int main(int argc, char** argv) {
    const char* waves = nullptr;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--trace")) waves = "dump.vcd";
    Verilated::commandArgs(argc, argv);
    Verilated::fatalOnVpiError(false);
    if (waves) Verilated::traceEverOn(true);

    bench::Simulation sim;
    setenv("BENCH_PAGE", sim.page_path().c_str(), 1);
    setenv("BENCH_MEMORY", sim.memory.path().c_str(), 1);
    setenv("BENCH_CAPTURE", sim.capture.path().c_str(), 1);

    Runner runner(sim);
    if (waves) runner.dump_waves_to(waves);
    vlog_startup_routines_bootstrap();
    Verilated::addExitCb([](void*) { end_of_simulation(); }, nullptr);
    const double started = bench::Simulation::wall_s();
    runner.run();
    const double elapsed = bench::Simulation::wall_s() - started;
    sim.publish();
    sim.top->final();
    end_of_simulation();
    runner.close();
    sim.print_figures(elapsed);
    return Verilated::threadContextp()->errorCount() ? 1 : 0;
}
