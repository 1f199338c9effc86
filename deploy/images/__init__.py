"""What the image build runs in Python."""
