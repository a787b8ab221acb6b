//! What the container's image would hold, run as a container engine would run it: the static
//! binary, built from the image's build context, alone on a read-only root and as nobody.
//!
//! No engine is needed: the root is made by hand as `deploy/docker/Dockerfile` says, and bubblewrap
//! runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::process::{Exporter, LISTEN};
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::tools::{in_repository, is_installed, read, run};
use tempfile::TempDir;

/// The only target of this toolchain, named so that its flags do not hold for build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const REVISION: &str = "0123abc";

/// The last instruction of this name in the Dockerfile, in one line.
fn instruction(name: &str) -> String {
    let text = read("deploy/docker/Dockerfile").replace("\\\n", " ");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.next_back().unwrap().trim().to_owned()
}

/// The words of an instruction in JSON: `HEALTHCHECK ... CMD ["a", "b"]`.
fn words(name: &str) -> Vec<String> {
    let text = instruction(name);
    serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap()
}

/// What `.dockerignore` lets into the build, and nothing else.
fn context() -> PathBuf {
    let context = in_repository("target/static/context");
    let _ = fs::remove_dir_all(&context);
    fs::create_dir_all(&context).unwrap();
    let ignore = read(".dockerignore");
    let mut lines = ignore.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"));
    for line in lines {
        let path = line.strip_prefix('!').unwrap();
        // With their times, or everything would be compiled anew each time.
        run(Command::new("cp")
            .args(["-a", "--parents", path])
            .arg(&context)
            .current_dir(in_repository("")));
    }
    context
}

/// The static binary, without optimisation: that would take minutes, and is no other code.
fn build() -> PathBuf {
    let build = instruction("RUN target=");
    assert!(build.contains("RUSTFLAGS='-C target-feature=+crt-static'"));
    assert!(build.contains("--locked --target"));
    let target_directory = in_repository("target/static");
    run(Command::new(env!("CARGO"))
        .args(["build", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&target_directory)
        .current_dir(context())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CEC_REVISION", REVISION));
    target_directory.join(TARGET).join("debug/cec_exporter")
}

/// The root of a container: the image, and what every engine puts into it.
struct Root(TempDir);

impl Root {
    fn new(binary: &Path) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for directory in ["bin", "dev", "proc", "etc", &instruction("VOLUME")[1..]] {
            fs::create_dir_all(root.path(directory)).unwrap();
        }
        fs::hard_link(binary, root.path("bin/cec_exporter"))
            .or_else(|_| fs::copy(binary, root.path("bin/cec_exporter")).map(|_| ()))
            .unwrap();
        fs::write(root.path("etc/hosts"), "127.0.0.1 vendor.test\n").unwrap();
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// A program in it.
    fn command(&self, words: &[String], arguments: &[&str]) -> Command {
        let volume = instruction("VOLUME");
        let environment = instruction("ENV");
        let user = instruction("USER");
        let (user, group) = user.split_once(':').unwrap();
        assert!(user.parse::<u32>().unwrap() > 0);
        let mut command = Command::new("bwrap");
        command
            .args(["--unshare-user", "--unshare-pid", "--die-with-parent"])
            .args(["--uid", user, "--gid", group, "--ro-bind"])
            .arg(self.0.path())
            .args(["/", "--proc", "/proc", "--dev", "/dev", "--bind"])
            .arg(self.path(&volume[1..]))
            .args([&volume, "--chdir", &instruction("WORKDIR")])
            .env_clear()
            .envs(
                environment
                    .split_whitespace()
                    .map(|pair| pair.split_once('=').unwrap()),
            );
        command.arg("--").args(words).args(arguments);
        command
    }

    /// As `docker run image ARGUMENTS`.
    fn exporter(&self, arguments: &[&str]) -> Command {
        self.command(&words("ENTRYPOINT"), arguments)
    }

    fn healthcheck(&self, address: &str) -> Output {
        let flag = format!("--web.listen-address={address}");
        let mut command = self.command(&words("HEALTHCHECK"), &[&flag]);
        command.output().unwrap()
    }
}

/// The program headers of an ELF file for 64 bits, little end first: their types.
fn program_headers(elf: &[u8]) -> Vec<u32> {
    let number = |at: usize, bytes: usize| {
        (0..bytes).fold(0, |sum, byte| {
            sum | usize::from(elf[at + byte]) << (8 * byte)
        })
    };
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01");
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count)
        .map(|index| number(start + index * size, 4) as u32)
        .collect()
}

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;

#[test]
#[ignore = "compiles the static binary, which takes minutes; .ci/run runs it"]
fn the_image_runs_on_a_read_only_root_as_nobody() {
    if !is_installed("bwrap") {
        return;
    }
    let binary = build();
    let headers = program_headers(&fs::read(&binary).unwrap());
    assert!(headers.contains(&PT_LOAD), "{headers:?}");
    assert!(!headers.contains(&PT_INTERP), "not static: {headers:?}");

    let root = Root::new(&binary);
    // The context has no git; the revision is what the builder said.
    let version = run(&mut root.exporter(&["--version"]));
    assert!(
        version.contains(&format!("revision: {REVISION}")),
        "{version}"
    );

    demo_is_scraped_and_healthy(&root);
    names_are_looked_up(&root);
    the_ledger_is_kept(&root);
}

fn demo_is_scraped_and_healthy(root: &Root) {
    let demo = Exporter::demo(&mut root.exporter(&[]), &[]);
    let address = demo.address.clone();
    let samples = demo.scrape();
    assert!(samples.sum("cec_calls_total", &[]) > 1000.0);
    assert!(samples.sum("process_resident_memory_bytes", &[]) > 0.0);
    let healthy = root.healthcheck(&address);
    assert!(healthy.status.success(), "{healthy:?}");
    drop(demo);
    let unhealthy = root.healthcheck(&address);
    assert_eq!(unhealthy.status.code(), Some(1), "{unhealthy:?}");
}

/// A target that is given in variables.
fn target(mut command: Command, endpoint: &str) -> Command {
    command.env("CEC_ENDPOINT", endpoint);
    for name in ["CEC_APP_KEY", "CEC_APP_SECRET", "CEC_USER_ID"] {
        command.env(name, "any");
    }
    command
}

/// There is no library that could look names up, and no file that says in which order.
fn names_are_looked_up(root: &Root) {
    let vendor = SimulatedVendor::frozen(settled(1000));
    let check = |host: &str| {
        let endpoint = vendor.endpoint.replace("127.0.0.1", host);
        target(root.exporter(&["check"]), &endpoint)
            .output()
            .unwrap()
    };
    let known = check("vendor.test");
    assert!(known.status.success(), "{known:?}");
    let unknown = check("other.test");
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
}

/// Nothing is said of where: what is the default there has to be the volume.
fn the_ledger_is_kept(root: &Root) {
    let vendor = SimulatedVendor::frozen(settled(1000));
    let command = root.exporter(&[LISTEN]);
    let exporter = Exporter::spawn(&mut target(command, &vendor.endpoint));
    exporter.scrape();
    let volume = root.path(&instruction("VOLUME")[1..]);
    let ledger = fs::metadata(volume.join("default.redb"));
    assert!(ledger.unwrap().len() > 0);
}
