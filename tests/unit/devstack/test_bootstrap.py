from devstack.bootstrap import installer_environment


def test_certificates_that_the_user_names_reach_pip_and_uv() -> None:
    own = installer_environment({"SSL_CERT_FILE": "/certificates.pem"})
    assert own["SSL_CERT_FILE"] == own["PIP_CERT"] == "/certificates.pem"
    assert own["UV_SYSTEM_CERTS"] == "1"


def test_a_certificate_file_for_pip_alone_stays() -> None:
    own = installer_environment({"SSL_CERT_FILE": "/certificates.pem", "PIP_CERT": "/for-pip.pem"})
    assert own["PIP_CERT"] == "/for-pip.pem"


def test_an_active_environment_of_another_project_is_not_installed_into() -> None:
    assert "VIRTUAL_ENV" not in installer_environment({"VIRTUAL_ENV": "/elsewhere"})
